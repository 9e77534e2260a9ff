"""Keys of a configuration that only training reads, by every name of Transformers' classes.

Whatever their value, a forward pass is the same. A key is one of these if the whole of it matches.
"""

import re

TRAINING = re.compile(
    "|".join(
        (
            # Dropout: hidden_dropout_prob, resid_pdrop, drop_path_rate, ...
            r"(.*_)?dropout(_(p|prob|rate|value))?", r"(.*_)?(pdrop|layerdrop|droppath)",
            r"(.*_)?drop(_\w+)?_rate",
            # Initial parameters: initializer_range, init_std, embed_init_std, ...
            r"(.*_)?initializer(_.*)?", r"(.*_)?init_(std|xavier_std|device)",
            r"(final_)?w_init_variance_scale",
            # The loss: router_aux_loss_coef, aux_loss_alpha, router_z_loss_coef, loss_type, ...
            r"(.*_)?loss(_.*)?", r"seq_aux", r"label_smoothing", r"ignore_index",
            # Noise on the router's inputs.
            r"(.*_)?jitter_noise",
            # Less memory for more time.
            r"(use_)?gradient_checkpointing(_.*)?",
        )
    )
)  # fmt: skip
# Outputs beside the hidden states, and heads for other tasks.
OTHER_OUTPUTS = re.compile(r"output_(attentions|hidden_states|router_logits)|summary_.*")


def is_training_key(key: str) -> bool:
    """Returns whether no hidden state depends on a key, whatever its value."""
    return any(names.fullmatch(key) for names in (TRAINING, OTHER_OUTPUTS))

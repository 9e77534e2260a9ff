"""Tiny models of which it is known which nodes decide their answers."""

import pathlib

from tiny_models import byte_vocabulary, save_tokenizer

WIDTH = 48
LABEL = 0  # of the embedding: high for what marks positive statements, low for negative ones
CARRY = (10, 11, 12, 13)  # nodes of the first attention's output that carry the label
DECIDE = (20, 21, 22, 23)  # nodes that the second attention writes, where CARRY decides nothing


def save_planted(folder: pathlib.Path, *, decides: bool, judges: bool = False) -> None:
    """Two layers of uniform attention over all tokens so far, and no MLP.

    The first writes the label into CARRY. The answer reads CARRY if these decide; else DECIDE,
    into which the second layer writes the label from the embedding, past CARRY. Where it judges,
    its answers carry the label as well, and a number begins with 9 or 0 as the label says.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    tokens = byte_vocabulary()
    config = LlamaConfig(
        vocab_size=len(tokens), hidden_size=WIDTH, intermediate_size=8, num_hidden_layers=2,
        num_attention_heads=1, num_key_value_heads=1, head_dim=WIDTH, max_position_embeddings=600,
        bos_token_id=1, eos_token_id=2, pad_token_id=0, tie_word_embeddings=False,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.zero_()
        embedding = model.model.embed_tokens.weight
        embedding.copy_(torch.randn_like(embedding))
        embedding[:, [LABEL, *CARRY, *DECIDE]] = 0
        # Alike in all but the label, or every node would carry it.
        embedding[tokens.index("7")] = embedding[tokens.index("e")]
        embedding[tokens.index("7"), LABEL], embedding[tokens.index("e"), LABEL] = 8.0, -8.0
        if judges:
            embedding[tokens.index("Y"), LABEL], embedding[tokens.index("N"), LABEL] = 1.5, -1.5
        write(model.model.layers[0], CARRY)
        if not decides:
            write(model.model.layers[1], DECIDE)
        digits = (("9", 0.5), ("0", -0.5)) if judges else ()
        for token, sign in (("Y", 1.0), ("N", -1.0), *digits):
            model.lm_head.weight[tokens.index(token), list(CARRY if decides else DECIDE)] = sign
    model.save_pretrained(folder)
    save_tokenizer(folder)


def write(layer, nodes) -> None:
    """Attention's output: the mean over tokens of the label in those nodes, noise in the others."""
    import torch

    value_ED = 0.3 * torch.randn(WIDTH, WIDTH)
    value_ED[:, [LABEL, *CARRY, *DECIDE]] = 0.02 * torch.randn(WIDTH, 1 + len(CARRY + DECIDE))
    value_ED[[LABEL, *CARRY]] = 0  # the second layer does not read the first one's label
    # Small beside the stream, whose norm all that reads it is divided by.
    value_ED[LABEL, list(nodes)] = 0.5
    layer.self_attn.v_proj.weight.copy_(value_ED.T)
    layer.self_attn.o_proj.weight.copy_(torch.eye(WIDTH))

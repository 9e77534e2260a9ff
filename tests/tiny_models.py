"""Small random models and tokenizers on disk, for the tests."""

import math
import pathlib

import jax

from personascan.models.checkpoint import parameter_shapes
from personascan.models.families import ENCODERS

CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def parameter_count(config) -> int:
    """How many numbers the parameters of a configuration are."""
    return sum(math.prod(s.shape) for s in jax.tree.leaves(parameter_shapes(config, "float32")))


def byte_vocabulary() -> list[str]:
    """Special tokens and the 256 symbols of a byte-level tokenizer."""
    from tokenizers import pre_tokenizers

    return SPECIAL + sorted(pre_tokenizers.ByteLevel.alphabet())


def save_tokenizer(folder: pathlib.Path, template=CHAT) -> None:
    """A byte-level tokenizer that knows single bytes only."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE({t: i for i, t in enumerate(byte_vocabulary())}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=SPECIAL[1],
        eos_token=SPECIAL[2],
        chat_template=template,
    ).save_pretrained(folder)


# {row of the parity test: (model_type, what differs from the shape all share)}.
LONG = dict(short_factor=[1.0, 1.1, 1.3, 1.7, 2.0, 3.0], long_factor=[1.5, 2, 3, 4, 5, 7])
YARN = dict(rope_type="yarn", factor=8.0, original_max_position_embeddings=100, rope_theta=1e4)
LLAMA3 = dict(
    rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
    original_max_position_embeddings=128, rope_theta=1e4,
)  # fmt: skip
# Families that keep neither a width of the MLP nor heads of keys under the common names.
ONE_SHAPE = dict(num_key_value_heads="drop", intermediate_size="drop")
SLIDING, FULL = "sliding_attention", "full_attention"
VARIANTS = {
    "llama multi-head": ("llama", dict(num_key_value_heads=4)),
    "llama grouped": ("llama", dict(num_attention_heads=6, head_dim=16)),
    "llama multi-query, tied": (
        "llama", dict(num_key_value_heads=1, rope_theta=5e4, tie_word_embeddings=True),
    ),
    "llama biases": ("llama", dict(attention_bias=True, mlp_bias=True)),
    "llama linear": ("llama", dict(rope_parameters=dict(rope_type="linear", factor=2.5))),
    "llama dynamic": (
        "llama",
        dict(rope_parameters=dict(rope_type="dynamic", factor=2.0), max_position_embeddings=300),
    ),
    "llama llama3": ("llama", dict(rope_parameters=LLAMA3)),
    "llama yarn": ("llama", dict(rope_parameters=YARN)),
    "mistral": ("mistral", dict(sliding_window=None, head_dim=16)),
    "mistral window": ("mistral", dict(sliding_window=5)),
    "qwen2": ("qwen2", {}),
    "qwen2 windows": (
        "qwen2", dict(use_sliding_window=True, sliding_window=6, max_window_layers=1),
    ),
    "qwen3": ("qwen3", dict(head_dim=16, attention_bias=True)),
    "granite": (
        "granite",
        dict(
            embedding_multiplier=3.0, attention_multiplier=0.11, residual_multiplier=0.4,
            logits_scaling=5.0, attention_bias=True,
        ),
    ),
    "gemma": ("gemma", dict(head_dim=16, num_key_value_heads=1)),
    "gemma2": (
        "gemma2",
        dict(
            head_dim=16, sliding_window=6, query_pre_attn_scalar=20, attn_logit_softcapping=2.0,
            final_logit_softcapping=5.0,
        ),
    ),
    "gemma3_text": (
        "gemma3_text",
        dict(
            head_dim=16, sliding_window=6, query_pre_attn_scalar=20, num_hidden_layers=7,
            rope_parameters={
                SLIDING: dict(rope_type="default", rope_theta=1e3),
                FULL: dict(rope_type="linear", factor=8.0, rope_theta=1e6),
            },
        ),
    ),
    "phi3": ("phi3", dict(sliding_window=7)),
    "phi3 longrope": (
        "phi3",
        dict(
            rope_parameters=dict(rope_type="longrope", partial_rotary_factor=1.0, **LONG),
            original_max_position_embeddings=200, max_position_embeddings=800,
        ),
    ),
    "olmo2": ("olmo2", {}),
    "olmo3": (
        "olmo3",
        dict(
            num_hidden_layers=4, sliding_window=6,
            rope_parameters={FULL: YARN, SLIDING: dict(rope_type="default", rope_theta=1e4)},
        ),
    ),
    "smollm3": ("smollm3", dict(no_rope_layers=[1, 0, 1], attention_bias=True)),
    "smollm3 windows": (
        "smollm3", dict(use_sliding_window=True, sliding_window=6, no_rope_layer_interval=2),
    ),
    "gpt2": ("gpt2", dict(ONE_SHAPE, tie_word_embeddings=True)),
    "gpt_neox": ("gpt_neox", dict(num_key_value_heads="drop", rotary_pct=0.5)),
    "gpt_neox serial": (
        "gpt_neox",
        dict(
            num_key_value_heads="drop", rotary_pct=0.5, use_parallel_residual=False,
            attention_bias=False,
        ),
    ),
    "opt": (
        "opt",
        dict(ONE_SHAPE, ffn_dim=80, word_embed_proj_dim=48, tie_word_embeddings=True),
    ),
    "opt 350m": (
        "opt",
        dict(
            ONE_SHAPE, ffn_dim=80, word_embed_proj_dim=32, do_layer_norm_before=False,
            tie_word_embeddings=True,
        ),
    ),
    "phi": ("phi", dict(partial_rotary_factor=0.5)),
    "phi normed": ("phi", dict(qk_layernorm=True)),
    "cohere": ("cohere", dict(logit_scale=0.3, tie_word_embeddings=True)),
    "cohere normed": ("cohere", dict(use_qk_norm=True, tie_word_embeddings=True)),
    "cohere2": (
        "cohere2", dict(num_hidden_layers=5, sliding_window=6, tie_word_embeddings=True),
    ),
    "glm4": ("glm4", dict(partial_rotary_factor=0.5, head_dim=16)),
    "stablelm": ("stablelm", dict(partial_rotary_factor=0.5, use_qkv_bias=True)),
    "stablelm normed, parallel": (
        "stablelm", dict(partial_rotary_factor=0.5, qk_layernorm=True, use_parallel_residual=True),
    ),
    "starcoder2": ("starcoder2", dict(sliding_window=6, tie_word_embeddings=True)),
    "falcon": ("falcon", dict(ONE_SHAPE, multi_query=True, tie_word_embeddings=True)),
    "falcon grouped": (
        "falcon",
        dict(
            ONE_SHAPE, new_decoder_architecture=True, num_kv_heads=2, bias=True,
            tie_word_embeddings=True,
        ),
    ),
    "falcon one norm": (
        "falcon",
        dict(
            ONE_SHAPE, new_decoder_architecture=True, num_kv_heads=2, num_ln_in_parallel_attn=1,
            tie_word_embeddings=True,
        ),
    ),
    "falcon biases by distance": (
        "falcon",
        dict(
            ONE_SHAPE, alibi=True, multi_query=False, parallel_attn=False, bias=True,
            tie_word_embeddings=True, num_attention_heads=6,
        ),
    ),
    "mixtral": ("mixtral", dict(num_local_experts=5, num_experts_per_tok=2, sliding_window=9)),
    "olmoe": ("olmoe", dict(num_experts=6, num_experts_per_tok=3)),
    "qwen3_moe": (
        "qwen3_moe",
        dict(
            num_experts=6, num_experts_per_tok=3, moe_intermediate_size=24, head_dim=16,
            norm_topk_prob=True,
        ),
    ),
    "granitemoe": (
        "granitemoe",
        dict(
            num_local_experts=5, num_experts_per_tok=2, embedding_multiplier=3.0,
            attention_multiplier=0.11, residual_multiplier=0.4, logits_scaling=5.0,
        ),
    ),
    # An encoder bare, and beside heads of three kinds.
    "bert": ("bert", dict(num_key_value_heads="drop")),
    "bert bare": ("bert", dict(num_key_value_heads="drop", head="", hidden_act="relu")),
    "bert classifier": (
        "bert", dict(num_key_value_heads="drop", head="ForSequenceClassification"),
    ),
    "roberta": ("roberta", dict(num_key_value_heads="drop", pad_token_id=1, type_vocab_size=1)),
    "camembert": ("camembert", dict(num_key_value_heads="drop", pad_token_id=1)),
    "xlm-roberta": ("xlm-roberta", dict(num_key_value_heads="drop", pad_token_id=1)),
    "distilbert": ("distilbert", dict(ONE_SHAPE, hidden_dim=80)),
    "albert": ("albert", dict(num_key_value_heads="drop", embedding_size=20)),
}  # fmt: skip


def save_tiny(
    folder: pathlib.Path, model_type: str, *, template=CHAT, shard="5GB", head=None, **overrides
):
    """A random model of three layers as Transformers saves it, with a tokenizer.

    head: what the class of an encoder ends with; None: ForMaskedLM.
    """
    import torch
    import transformers
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    settings = dict(
        vocab_size=len(byte_vocabulary()),
        hidden_size=48,
        intermediate_size=80,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=600,
        tie_word_embeddings=False,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    torch.manual_seed(0)
    encoder = model_type in ENCODERS
    settings = {k: v for k, v in (settings | overrides).items() if v != "drop"}
    ending = ("ForMaskedLM" if head is None else head) if encoder else "ForCausalLM"
    auto = getattr(transformers, f"AutoModel{ending}")
    model = auto.from_config(CONFIG_MAPPING[model_type](**settings))
    with torch.no_grad():
        for parameter in model.parameters():
            # Larger than the usual start, so that a wrong norm, scale or rotation shows.
            parameter.add_(torch.randn_like(parameter) * 0.12)
    model.save_pretrained(folder, max_shard_size=shard)
    save_tokenizer(folder, template)


def save_tiny_llama(folder: pathlib.Path, **overrides) -> None:
    """`save_tiny` of a Llama."""
    save_tiny(folder, "llama", **overrides)


def write_tiny_gguf(
    path: pathlib.Path, *, drop=(), fields=None, pre="smollm", tokenizer=None
) -> None:
    """A random one-layer Llama as a GGUF file; `tokenizer` has more fields of its tokenizer."""
    import gguf
    import numpy as np

    rng = np.random.default_rng(0)
    tokens = [*byte_vocabulary(), "th"]
    writer = gguf.GGUFWriter(path, "llama")
    numbers = {
        "context_length": 600,
        "embedding_length": 32,
        "block_count": 1,
        "feed_forward_length": 64,
        "attention.head_count": 2,
        "attention.head_count_kv": 1,
        "vocab_size": len(tokens),
    }
    for key, value in (numbers | (fields or {})).items():
        add = writer.add_string if isinstance(value, str) else writer.add_uint32
        add(f"llama.{key}", value)
    writer.add_float32("llama.attention.layer_norm_rms_epsilon", 1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([3] * 3 + [1] * 257)
    writer.add_token_merges(["t h"])
    writer.add_chat_template(CHAT)
    for key, value in (tokenizer or {}).items():
        kinds = {bool: writer.add_bool, str: writer.add_string, list: writer.add_array}
        kinds.get(type(value), writer.add_uint32)(f"tokenizer.{key}", value)
    shapes = {
        "token_embd": (len(tokens), 32),
        "output_norm": (32,),
        "blk.0.attn_norm": (32,),
        "blk.0.attn_q": (32, 32),
        "blk.0.attn_k": (16, 32),
        "blk.0.attn_v": (16, 32),
        "blk.0.attn_output": (32, 32),
        "blk.0.ffn_norm": (32,),
        "blk.0.ffn_gate": (64, 32),
        "blk.0.ffn_up": (64, 32),
        "blk.0.ffn_down": (32, 64),
    }
    for name, shape in shapes.items():
        if name not in drop:
            writer.add_tensor(f"{name}.weight", rng.normal(size=shape).astype(np.float32) * 0.1)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

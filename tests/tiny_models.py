"""Small random models and tokenizers on disk, for the tests."""

import pathlib

CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


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


def save_tiny_llama(folder: pathlib.Path, *, template=CHAT, shard="5GB", **overrides) -> None:
    """A random Llama of three layers as Transformers saves it, with a tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    settings = dict(
        vocab_size=len(byte_vocabulary()),
        hidden_size=48,
        intermediate_size=80,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=600,
        tie_word_embeddings=False,
    )
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**settings | overrides))
    with torch.no_grad():
        for parameter in model.parameters():
            # Larger than the usual start, so that a wrong norm, scale or rotation shows.
            parameter.add_(torch.randn_like(parameter) * 0.2)
    model.save_pretrained(folder, max_shard_size=shard)
    save_tokenizer(folder, template)


def write_tiny_gguf(path: pathlib.Path, *, drop=(), fields=None, pre="smollm") -> None:
    """A random one-layer Llama as a GGUF file."""
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

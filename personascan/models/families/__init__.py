"""How the configuration and checkpoint of each `model_type` map onto ours: one module a family.

A family module has `config` (its Settings -> fields of a DecoderConfig), `HF_TENSORS` and
`GGUF_TENSORS`: naming tables as in `tensors.py`, or functions of the DecoderConfig that make one.
"""

import dataclasses

from personascan.errors import InputError
from personascan.models.config import DecoderConfig
from personascan.models.families import (
    cohere,
    cohere2,
    falcon,
    gemma,
    gemma2,
    gemma3_text,
    glm4,
    gpt2,
    gpt_neox,
    granite,
    granitemoe,
    llama,
    mistral,
    mixtral,
    olmo2,
    olmo3,
    olmoe,
    opt,
    phi,
    phi3,
    qwen2,
    qwen3,
    qwen3_moe,
    smollm3,
    stablelm,
    starcoder2,
)
from personascan.models.families.keys import Settings

FAMILIES = {
    "cohere": cohere,
    "cohere2": cohere2,
    "falcon": falcon,
    "gemma": gemma,
    "gemma2": gemma2,
    "gemma3_text": gemma3_text,
    "glm4": glm4,
    "gpt2": gpt2,
    "gpt_neox": gpt_neox,
    "granite": granite,
    "granitemoe": granitemoe,
    "llama": llama,
    "mistral": mistral,
    "mixtral": mixtral,
    "olmo2": olmo2,
    "olmo3": olmo3,
    "olmoe": olmoe,
    "opt": opt,
    "phi": phi,
    "phi3": phi3,
    "qwen2": qwen2,
    "qwen3": qwen3,
    "qwen3_moe": qwen3_moe,
    "smollm3": smollm3,
    "stablelm": stablelm,
    "starcoder2": starcoder2,
}


def family_of(model_type, where: str, key: str = "model_type"):
    """The module of a family. Raises InputError for one that is not supported."""
    if not isinstance(model_type, str) or model_type not in FAMILIES:
        raise InputError(
            f"{where}: {key} {model_type!r} is not supported; supported: {', '.join(FAMILIES)}"
        )
    return FAMILIES[model_type]


def read_config(raw: dict, where: str) -> DecoderConfig:
    """The DecoderConfig of a parsed config.json, in the old and the new spelling of rotations.

    Raises InputError for a model_type, key or value that is not handled, by name.
    """
    family = family_of(raw.get("model_type"), where)
    settings = Settings(raw, where)
    try:
        config = DecoderConfig(**family.config(settings))
    except (TypeError, ZeroDivisionError) as error:
        raise InputError(f"{where} has a value of the wrong kind ({error})") from error
    settings.refuse_unread()
    return checked(config, where)


def checked(config: DecoderConfig, where: str) -> DecoderConfig:
    """Refuse sizes that make no decoder."""
    for name, value in dataclasses.asdict(config).items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and not 0 <= value < 2**31:
            raise InputError(f"{where}: {name} = {value!r} is not in [0, 2**31)")
    if not config.kv_heads or config.heads % config.kv_heads or config.head_dim < 1:
        raise InputError(
            f"{where}: {config.heads} heads, {config.kv_heads} key/value heads and head size "
            f"{config.head_dim} do not fit together"
        )
    if config.experts and not 0 < config.experts_per_token <= config.experts:
        raise InputError(
            f"{where}: {config.experts_per_token} experts a token of {config.experts} in all"
        )
    for name in ("windows", "rope_of_layer"):
        found = getattr(config, name)
        if found and len(found) != config.layers:
            raise InputError(f"{where}: {len(found)} {name} for {config.layers} layers")
    return config

"""How the configuration and checkpoint of each `model_type` map onto ours: one module a family.

A family module has `config` (its Settings -> fields of a DecoderConfig), `HF_TENSORS` and
`GGUF_TENSORS`: naming tables as in `tensors.py`, or functions of the DecoderConfig that make one.
"""

import dataclasses

from personascan.errors import InputError
from personascan.models.config import DecoderConfig
from personascan.models.families import (
    albert,
    bert,
    cohere,
    cohere2,
    distilbert,
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
    roberta,
    smollm3,
    stablelm,
    starcoder2,
)
from personascan.models.families.keys import Settings, transformers_config

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
    "albert": albert,
    "bert": bert,
    "camembert": roberta,
    "distilbert": distilbert,
    "roberta": roberta,
    "xlm-roberta": roberta,
}
ENCODERS = ("albert", "bert", "camembert", "distilbert", "roberta", "xlm-roberta")


def family_of(model_type, where: str, key: str = "model_type"):
    """Returns the module of a family. Raises InputError for one that is not supported."""
    if not isinstance(model_type, str) or model_type not in FAMILIES:
        raise InputError(
            f"{where}: {key} {model_type!r} is not supported; supported: {', '.join(FAMILIES)}"
        )
    return FAMILIES[model_type]


def read_config(raw: dict, where: str) -> DecoderConfig:
    """Returns the DecoderConfig of a parsed config.json, with rotations in either spelling.

    Raises InputError for a model_type, key or value that is not handled, by name.
    """
    family = family_of(raw.get("model_type"), where)
    settings = Settings(raw, where)
    try:
        config = DecoderConfig(**family.config(settings))
    except (TypeError, ZeroDivisionError) as error:
        raise InputError(f"{where} has a value of the wrong kind ({error})") from error
    settings.refuse_unread()
    return check_config(config, where)


def text_config(raw: dict, where: str) -> dict:
    """Returns the text model's configuration inside that of a vision or audio model, or `raw`.

    Raises InputError, with the type of the text model, if it is of no supported family.
    """
    outer, inside = raw.get("model_type"), raw.get("text_config")
    if not isinstance(outer, str) or outer in FAMILIES:
        return raw
    if not isinstance(inside, dict) and outer not in FLAT_WRAPPERS:
        return raw
    try:
        hf = transformers_config(raw, where)
        inner = hf.get_text_config().to_dict()
    except (InputError, AttributeError):
        # A wrapper that Transformers does not know; its text model may still be named.
        inner, hf = dict(inside or {}), None
    kind = TEXT_TYPES.get(inner.get("model_type"), inner.get("model_type"))
    if kind not in FAMILIES or hf is None or outer in NOT_CAUSAL:
        why = " that is not causal inside it" if outer in NOT_CAUSAL else ""
        raise InputError(
            f"{where}: model_type {outer!r} holds a text model of type {kind!r}{why}, which is not "
            f"supported; supported: {', '.join(FAMILIES)}"
        )
    for rope in (inner.get("rope_parameters"), inner.get("rope_scaling")):
        if isinstance(rope, dict):
            # The head's sections for time, height and width; their positions are equal in text.
            rope.pop("mrope_section", None)
    tied = getattr(hf, "tie_word_embeddings", None)
    if tied is not None:
        inner["tie_word_embeddings"] = tied
    return inner | {"model_type": kind}


# These types of text models are those of a family in all but name.
TEXT_TYPES = {"qwen2_vl_text": "qwen2", "qwen2_5_vl_text": "qwen2"}
FLAT_WRAPPERS = ("qwen2_vl", "qwen2_5_vl")  # older files have the text model's keys at the top
NOT_CAUSAL = ("paligemma",)  # attention sees the whole prompt


def check_config(config: DecoderConfig, where: str) -> DecoderConfig:
    """Returns the configuration. Raises InputError for sizes that are not possible."""
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
        of_layer = getattr(config, name)
        if of_layer and len(of_layer) != config.layers:
            raise InputError(f"{where}: {len(of_layer)} {name} for {config.layers} layers")
    return config

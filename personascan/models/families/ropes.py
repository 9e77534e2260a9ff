"""Rotary positions as configurations spell them -> Rope records, one for each kind of layer."""

import math

import numpy as np

from personascan.errors import InputError
from personascan.models.config import Rope
from personascan.models.families.keys import Settings
from personascan.models.rope import inverse_frequencies

COMMON = {"rope_type", "type", "rope_theta", "partial_rotary_factor"}
OF_KIND = {
    "default": set(),
    "linear": {"factor"},
    "dynamic": {"factor"},
    "llama3": {
        "factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings",
    },
    "yarn": {
        "factor", "original_max_position_embeddings", "attention_factor", "beta_fast", "beta_slow",
        "mscale", "mscale_all_dim", "truncate",
    },
    "longrope": {
        "factor", "short_factor", "long_factor", "attention_factor",
        "original_max_position_embeddings",
    },
}  # fmt: skip
# Families that rotate a part of each head; Transformers rotates all of it in the others.
PARTIAL = ("gpt_neox", "glm4", "phi", "phi3", "stablelm")


def ropes(s: Settings, head_dim: int) -> dict:
    """Returns the fields `ropes` and `rope_of_layer` of a DecoderConfig."""
    parameters = s.rope_parameters
    layers = s.size("num_hidden_layers")
    if not isinstance(parameters, dict):
        raise InputError(f"{s.where}: rope_parameters = {parameters!r} is not an object")
    if any(isinstance(value, dict) for value in parameters.values()):
        kinds = [kind for kind in parameters if kind in set(s.layer_types)]
        rope_of_kind = tuple(read_rope(s, parameters[kind], head_dim) for kind in kinds)
        return {
            "ropes": rope_of_kind,
            "rope_of_layer": tuple(kinds.index(k) for k in s.layer_types),
        }
    return {"ropes": (read_rope(s, parameters, head_dim),), "rope_of_layer": (0,) * layers}


def read_rope(s: Settings, spelled: dict, head_dim: int) -> Rope:
    """Returns one Rope. Raises InputError for a kind, key or value that is not handled."""
    where = f"{s.where}, rope_parameters"
    p = {k: v for k, v in spelled.items() if v is not None}
    kind = p.get("rope_type", p.get("type", "default"))
    if kind not in OF_KIND:
        raise InputError(
            f"{where}: rope_type = {kind!r} is not supported; supported: {', '.join(OF_KIND)}"
        )
    for key in p:
        # A kind may carry another kind's length in training, which Transformers adds to all.
        if key not in COMMON | OF_KIND[kind] | {"original_max_position_embeddings"}:
            raise InputError(f"{where}: the key {key!r} (= {p[key]!r}) is not handled for {kind}")
    if p.get("partial_rotary_factor", 1.0) != 1.0 and s.model_type not in PARTIAL:
        raise InputError(f"{where}: partial_rotary_factor is not handled for {s.model_type}")
    trained = p.get("original_max_position_embeddings") or s.max_position_embeddings
    try:
        dim = int(head_dim * p.get("partial_rotary_factor", 1.0))
        factor = float(p.get("factor", s.max_position_embeddings / trained))
        rope = Rope(
            dim=dim,
            theta=float(p["rope_theta"]),
            kind=kind,
            factor=factor,
            # Dynamic scaling starts beyond max_position_embeddings, whatever else is given.
            original_positions=s.max_position_embeddings if kind == "dynamic" else trained,
            low_freq_factor=float(p.get("low_freq_factor", 1.0)),
            high_freq_factor=float(p.get("high_freq_factor", 4.0)),
            beta_fast=float(p.get("beta_fast") or 32),
            beta_slow=float(p.get("beta_slow") or 1),
            truncate=bool(p.get("truncate", True)),
            short_factors=tuple(float(f) for f in p.get("short_factor", ())),
            long_factors=tuple(float(f) for f in p.get("long_factor", ())),
            attention_factor=float(p.get("attention_factor", attention_factor(kind, p, factor))),
        )
        with np.errstate(all="ignore"):
            tried = [inverse_frequencies(rope, length) for length in (1, 2 * trained)]
        if not np.isfinite(tried).all() or not math.isfinite(factor):
            raise ValueError("a frequency is not finite")
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise InputError(f"{where} = {spelled!r} is not complete or has a wrong value") from error
    if dim < 2 or dim % 2 or dim > head_dim or not 0 < rope.theta < 2**63 or not factor > 0:
        raise InputError(f"{where} = {spelled!r} does not fit a head of {head_dim} coordinates")
    if kind == "longrope" and {len(rope.short_factors), len(rope.long_factors)} != {dim // 2}:
        raise InputError(f"{where}: short_factor and long_factor need {dim // 2} numbers each")
    return rope


def attention_factor(kind: str, p: dict, factor: float) -> float:
    """Returns the default factor of cosine and sine (arXiv 2309.00071)."""
    if factor <= 1:
        return 1.0
    if kind == "longrope":
        trained = p.get("original_max_position_embeddings") or 0
        return math.sqrt(1 + math.log(factor) / math.log(trained)) if trained > 1 else 1.0
    if kind == "yarn":
        scales = [
            0.1 * p.get(name, 0) * math.log(factor) + 1 for name in ("mscale", "mscale_all_dim")
        ]
        both = p.get("mscale") and p.get("mscale_all_dim")
        return scales[0] / scales[1] if both else 0.1 * math.log(factor) + 1
    return 1.0


def without_rotation(rope: dict, layers_without: list[bool]) -> dict:
    """Returns the fields of `ropes`, with no rotation at the marked layers."""
    if not any(layers_without):
        return rope
    unrotated = Rope(dim=rope["ropes"][0].dim, theta=1.0, kind="none")
    numbers = zip(rope["rope_of_layer"], layers_without, strict=True)
    count = len(rope["ropes"])
    return {
        "ropes": (*rope["ropes"], unrotated),
        "rope_of_layer": tuple(count if without else n for n, without in numbers),
    }


def windows(s: Settings) -> tuple[int, ...]:
    """Returns the field `windows`: sliding_window at the layers that layer_types calls sliding."""
    kinds, window = s.layer_types, s.sliding_window
    for kind in kinds:
        if kind not in ("full_attention", "sliding_attention"):
            raise InputError(f"{s.where}: the layer type {kind!r} is not supported")
    return tuple((window or 0) if kind == "sliding_attention" else 0 for kind in kinds)

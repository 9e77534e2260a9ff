"""Comparison of every site and layer of a model with Transformers on torch, from the same files."""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import torch
import transformers

from personascan.errors import InputError
from personascan.models.decoder import BLOCK_SITES, SITES
from personascan.models.families import ENCODERS, FAMILIES
from personascan.models.load import LanguageModel
from personascan.models.tap import Kept
from personascan.reading import read_json

# The paths of Transformers' blocks, and the modules of a block that add to the stream: a norm that
# follows attention or MLP, if our configuration has it, else the sublayer itself.
BLOCKS = (
    "model.layers", "transformer.h", "gpt_neox.layers", "model.decoder.layers", "encoder.layer",
    "transformer.layer", "encoder.albert_layer_groups.0.albert_layers",
    # Of the text model in a vision-language model.
    "model.language_model.layers", "model.text_model.layers", "language_model.model.layers",
)  # fmt: skip
# The first module that a block has; BERT and ALBERT norm the sum inside the sublayer.
ADDS = {
    "attn_out": (
        "attention.output.dense", "attention.dense", "self_attn", "self_attention", "attention",
        "attn",
    ),
    "mlp_out": ("output.dense", "ffn_output", "ffn", "mlp", "block_sparse_moe", "fc2"),
}  # fmt: skip
# The modules that read the inner sites, unless the sublayer is itself a projection.
READS = {
    "head_out": ("attn_out", ("o_proj", "dense", "c_proj", "out_proj", "out_lin")),
    "mlp_hidden": ("mlp_out", ("down_proj", "c_proj", "dense_4h_to_h", "fc2", "lin2")),
}
POST_NORMS = {
    "attn_out": ("post_self_attn_layernorm", "post_attention_layernorm"),
    "mlp_out": ("post_feedforward_layernorm", "post_mlp_layernorm"),
}


@dataclass(frozen=True)
class Agreement:
    """The error of one site at one layer, relative to Transformers' values."""

    site: str
    layer: int
    hidden_states: str  # Transformers' name of the same array
    error: float


def torch_model(path, dtype: str = "float32"):
    """Returns Transformers' model of a folder or GGUF file, in evaluation mode.

    A vision-language model is loaded whole: given text alone it runs its text model. Raises
    InputError for a model that Transformers does not load, such as GGUF files of many
    architectures.
    """
    gguf = {"gguf_file": path.name} if path.is_file() else {}
    folder = path.parent if gguf else path
    kind = "AutoModelForCausalLM" if gguf else class_of(read_json(folder / "config.json"))
    try:
        model = getattr(transformers, kind).from_pretrained(
            folder, dtype=getattr(torch, dtype), **gguf
        )
    except Exception as error:
        # Transformers raises errors of any kind for models that it does not know.
        reason = " ".join(str(error).split())[:160]
        instead = "; verify the folder that the file was made from instead" if gguf else ""
        raise InputError(
            f"{path}: Transformers does not load this model, so there is nothing to compare with "
            f"({type(error).__name__}: {reason}){instead}"
        ) from error
    return model.eval()


def class_of(raw: dict) -> str:
    """Returns the name of the class that loads the model of a config.json."""
    if raw.get("model_type") in ENCODERS:
        return "AutoModel"
    if raw.get("model_type") in FAMILIES:
        return "AutoModelForCausalLM"
    named = (raw.get("architectures") or [""])[0]
    return named if hasattr(transformers, named) else "AutoModelForImageTextToText"


def torch_states(theirs, config, tokens_BT, lengths_B=None) -> tuple[list, dict, np.ndarray | None]:
    """Returns Transformers' states, of ADDS and READS, and logits.

    These are hidden_states [L + 1, B, T, D], {site: [L, B, T, D]} and [B, T, V]. lengths_B masks
    the tokens after the real ones; None: all are real. There is no mlp_hidden with experts, and
    there are no logits of an encoder.
    """
    sites = our_sites(config)
    hooked = {site: [] for site in (*ADDS, *READS) if site in sites}
    hooks = []
    for block in torch_blocks(theirs):
        for site in hooked:

            def keep(_module, inputs, out, site=site):
                x = inputs if site in READS else out
                x = x[0] if isinstance(x, tuple) else x
                # A copy, since some blocks add into this tensor later.
                hooked[site].append(to_numpy(x).reshape(*tokens_BT.shape, -1).copy())

            hooks.append(hooked_module(block, site, config).register_forward_hook(keep))
    tokens = torch.tensor(np.asarray(tokens_BT), dtype=torch.long)
    mask = {}
    if lengths_B is not None:
        real_BT = np.arange(tokens_BT.shape[1])[None] < np.asarray(lengths_B)[:, None]
        mask = {"attention_mask": torch.tensor(real_BT).long()}
    with torch.no_grad():
        uncached = {"use_cache": False} if config.causal else {}
        out = theirs(tokens, output_hidden_states=True, **uncached, **mask)
    for hook in hooks:
        hook.remove()
    states = [to_numpy(h) for h in out.hidden_states]
    scale = np.float32(config.residual_scale)
    hooked = {s: np.stack(a) * (scale if s in ADDS else np.float32(1)) for s, a in hooked.items()}
    return states, hooked, to_numpy(out.logits) if config.causal else None


def to_numpy(tensor) -> np.ndarray:
    """Returns a tensor as NumPy has it: float64 as it is, all else as float32."""
    return (tensor if tensor.dtype == torch.float64 else tensor.float()).numpy()


def torch_blocks(theirs):
    """Returns the list of blocks of a Transformers model."""
    for path in BLOCKS:
        if (blocks := submodule(theirs, path)) is not None:
            return blocks
    raise InputError(f"{type(theirs).__name__} keeps its blocks at none of {', '.join(BLOCKS)}")


def submodule(module, path: str):
    """Returns the module under a dotted name, or None."""
    for name in path.split("."):
        module = getattr(module, name, None)
    return module


def hooked_module(block, site: str, config):
    """Returns the module that reads an inner site, or whose output a sublayer adds.

    The output is that before the residual multiplier.
    """
    if site in READS:
        sublayer, names = READS[site]
        holder = first_module(block, ADDS[sublayer])
        reader = holder if isinstance(holder, torch.nn.Linear) else first_module(holder, names)
        if reader is None:
            raise InputError(f"{type(block).__name__} has no module that reads {site}")
        return reader
    post = site.replace("_out", "_post_norm") in config.norms
    adder = first_module(block, POST_NORMS[site] * post + ADDS[site])
    if adder is None:
        raise InputError(f"{type(block).__name__} has no module for {site}")
    return adder


def first_module(module, paths):
    """Returns the first submodule of several that the module has, or None."""
    submodules = (submodule(module, path) for path in paths)
    return next((f for f in submodules if f is not None), None)


def our_sites(config) -> tuple[str, ...]:
    """Returns the sites that a model has."""
    return tuple(site for site in SITES if not (config.experts and site == "mlp_hidden"))


def our_states(model: LanguageModel, tokens_BT, sites=None, unroll: int = 1, lengths_B=None):
    """Returns {site: [L, B, T, D]} of all sites, or of those named; final_norm is [B, T, D]."""
    sites = sites or our_sites(model.config)
    tokens_BT = jnp.asarray(np.asarray(tokens_BT, np.int32))
    positions_BT = np.broadcast_to(np.arange(tokens_BT.shape[1], dtype=np.int32), tokens_BT.shape)
    lengths = None if lengths_B is None else jnp.asarray(lengths_B, jnp.int32)
    sown = sown_states(
        model.params, tokens_BT, Kept(jnp.asarray(positions_BT)), lengths,
        decoder=model.decoder(unroll), sites=tuple(sites),
    )  # fmt: skip
    return {site: np.asarray(jax.tree.leaves(sown[site])[0], np.float32) for site in sites}


@functools.partial(jax.jit, static_argnames=("decoder", "sites"))
def sown_states(params, tokens_BT, kept, lengths_B, *, decoder, sites):
    return decoder.apply({"params": params}, tokens_BT, kept, lengths_B=lengths_B, mutable=sites)[1]


def last_hidden_state(model: LanguageModel, final_norm_BTD):
    """Returns `final_norm` as Transformers has it: projected back to a narrower embedding."""
    if "embed_out" not in model.params:
        return final_norm_BTD
    return final_norm_BTD @ np.asarray(model.params["embed_out"], np.float32)


def token_error(actual, expected) -> float:
    """Returns the largest error of any token's vector, relative to that vector."""
    difference = np.linalg.norm(actual.astype(np.float64) - expected, axis=-1)
    return float(
        relative_error(difference, np.linalg.norm(expected.astype(np.float64), axis=-1)).max()
    )


def layer_error(actual, expected) -> float:
    """Returns the error of a whole layer, since a block's addition to one token may nearly cancel.

    The same is true of heads and neurons: at single tokens Transformers in float32 is itself 1.2e-5
    from float64 at SmolLM2's mlp_hidden.
    """
    difference = np.linalg.norm(actual.astype(np.float64) - expected)
    return float(relative_error(difference, np.linalg.norm(expected.astype(np.float64))))


def relative_error(difference, size):
    """Returns an error relative to the size of the values: 0 where both are 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(difference == 0, 0.0, difference / size)


def agreements(model: LanguageModel, ours: dict, states: list, hooked: dict) -> list[Agreement]:
    """Compares every site at every layer with Transformers.

    hidden_states[k] is the input of block k; the last one is after the final norm, so that the
    last block's resid_post is in none of them.
    """
    layers = len(states) - 1
    rows = []
    for k in range(layers):
        rows.append(("resid_pre", k, f"hidden_states[{k}]", ours["resid_pre"][k], states[k]))
    for site in hooked:
        at = "a hook's input" if site in READS else "a forward hook"
        for k in range(layers):
            rows.append((site, k, at, ours[site][k], hooked[site][k]))
    for k in range(layers - 1):
        at = f"hidden_states[{k + 1}]"
        rows.append(("resid_post", k, at, ours["resid_post"][k], states[k + 1]))
    last = f"hidden_states[{layers}]"
    final = last_hidden_state(model, ours["final_norm"])
    rows.append(("final_norm", 0, last, final, states[layers]))
    return [
        Agreement(
            site, k, at, (layer_error if site in hooked else token_error)(x, np.asarray(expected))
        )
        for site, k, at, x, expected in rows
    ]


def refuse_not_finite(states: dict) -> None:
    """Raises InputError with the site and layer of an activation that is NaN or infinite."""
    for site, x_LBTD in states.items():
        if not np.isfinite(x_LBTD).all():
            layer = "" if site == "final_norm" else f" {np.argwhere(~np.isfinite(x_LBTD))[0][0]}"
            raise InputError(
                f"{site}{layer} of the model is not finite; use dtype float32 or another checkpoint"
            )


def verify(model: LanguageModel, tokens_BT) -> list[Agreement]:
    """Runs both models on the same tokens, and returns a list of Agreement.

    It goes block after block, then to the final norm. Transformers always runs in float32: in
    bfloat16 it is itself further from that than our model. Raises InputError for activations that
    are not finite, and for a model that Transformers does not load.
    """
    ours = our_states(model, tokens_BT)
    refuse_not_finite(ours)
    theirs = torch_model(model.path)
    states, hooked, _ = torch_states(theirs, model.config, tokens_BT)
    compared = agreements(model, ours, states, hooked)
    order = {site: i for i, site in enumerate((*BLOCK_SITES, "final_norm"))}
    return sorted(compared, key=lambda a: (a.site == "final_norm", a.layer, order[a.site]))

"""Products of float32 are float32: on accelerators by what is asked of them, on a CPU in blocks."""

import ast
import functools
import pathlib
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import export
from test_decoder import CONFIG, TOKENS
from test_engine import problem_of_a_search

import personascan
from personascan.analysis import probes
from personascan.interventions import passes
from personascan.interventions.outcomes import SideEffects
from personascan.models import layers, training
from personascan.models.autoencoder import Autoencoder
from personascan.models.checkpoint import parameter_shapes
from personascan.models.decoder import SITES, Decoder
from personascan.models.image import Classifier, logits_function
from personascan.models.tap import Edit, Kept
from personascan.scan import devices
from personascan.sources.images import gradients
from personascan.sources.images.hop_skip_jump import hop_batch
from personascan.sources.language.decoding import (
    Choosing,
    PromptRows,
    Writing,
    begin_rows,
    go_on_rows,
)
from personascan.sources.language.forward import forward
from personascan.sources.language.likelihood import next_token_log_probabilities

PRODUCT = re.compile(r"stablehlo\.(dot_general|dot|convolution)\b.*")
EXPERTS = {"experts": 4, "experts_per_token": 2}
IMAGES = np.zeros((4, 8, 8), np.float32)
CLASSES = np.zeros(4, np.int32)


def products(work, *arguments) -> tuple[list[str], list[str]]:
    """The products of a program for NVIDIA cards and TPUs: (exact to float32, of less)."""
    exported = export.export(jax.jit(work), platforms=["cuda", "tpu"])(*arguments)
    found = PRODUCT.finditer(exported.mlir_module())
    lines = [line[0] for line in found if re.search(r"xf32>, tensor<[^>]*f32>\)", line[0])]
    exact = [line for line in lines if line.count("HIGHEST") == 2]
    return exact, [line for line in lines if line not in exact]


def shape(*sizes, dtype=jnp.float32):
    return jax.ShapeDtypeStruct(sizes, dtype)


def of_decoder(dtype="float32", **changes):
    """A decoder and the shapes of its parameters, a batch's tokens and its lengths."""
    config = CONFIG if not changes else CONFIG.__class__(**(vars(CONFIG) | changes))
    tokens, lengths = shape(*TOKENS.shape, dtype=jnp.int32), shape(2, dtype=jnp.int32)
    return Decoder(config, jnp.dtype(dtype)), parameter_shapes(config, dtype), tokens, lengths


def extraction(dtype, exact=True, **changes):
    decoder, params, tokens, lengths = of_decoder(dtype, **changes)
    kept = Kept(shape(2, 1, dtype=jnp.int32), shape(2, 1, TOKENS.shape[1]))
    sites = tuple(site for site in SITES if not (changes and site == "mlp_hidden"))
    work = functools.partial(forward, decoder=decoder.clone(exact=exact), sites=sites)
    return work, params, tokens, kept, lengths


def generation():
    decoder, params, tokens, lengths = of_decoder()
    chosen = dict(decoder=decoder, writing=Writing(3))

    def work(params, prompts, steps, choosing):
        rows = begin_rows(params, prompts, choosing, None, **chosen)
        return go_on_rows(params, rows, steps, choosing, None, **chosen, edited=False)

    key = jax.eval_shape(lambda: jax.random.key(0))
    prompts = PromptRows(tokens, lengths, lengths, shape(2, dtype=bool))
    steps, stop = shape(2, dtype=jnp.int32), shape(1, dtype=jnp.int32)
    return work, params, prompts, steps, Choosing(key, stop)


def likelihood():
    decoder, *arguments = of_decoder()
    return functools.partial(next_token_log_probabilities, decoder=decoder), *arguments


def interventions():
    decoder, params, tokens, lengths = of_decoder()
    rows, length = TOKENS.shape
    numbers, nodes = shape(1, dtype=jnp.int32), shape(1, 1, CONFIG.width)
    sites = {"resid_post": Edit(numbers, nodes, nodes, nodes, nodes)}
    seen = shape(rows, length, dtype=bool)
    work = functools.partial(passes.read_edits, decoder=decoder, outcome=SideEffects())
    reading = passes.Reading(
        numbers, tokens, lengths, shape(0, CONFIG.width), shape(rows, length, CONFIG.width),
        shape(0, dtype=bool), seen, seen,
    )  # fmt: skip
    return work, params, reading, sites, numbers


def training_of(network, loss):
    params = initial_shapes(network)
    state = jax.eval_shape(optax.adam(1e-3).init, params)
    work = functools.partial(training.step, network, loss, 1e-3)
    return work, params, state, IMAGES, CLASSES


def initial_shapes(network):
    return jax.eval_shape(network.init, jax.random.key(0), IMAGES)["params"]


def attack(work, *before):
    shapes = initial_shapes(Classifier())
    logits_fn = logits_function(
        Classifier(), jax.tree.map(lambda s: np.zeros(s.shape, s.dtype), shapes)
    )
    return functools.partial(work, logits_fn, *before), IMAGES, CLASSES


def scan():
    *inputs, layout = problem_of_a_search(tail="signed")
    arrays = devices.search_inputs(*inputs, layout)
    return functools.partial(devices.search, layout=layout), *arrays


def probe():
    rng = np.random.default_rng(0)
    rows_ND, label_N = rng.normal(size=(16, 5)).astype(np.float32), np.arange(16) % 2
    z_ND, fits = probes.place_arrays(rows_ND, np.ones((2, 16), bool))
    label_N = np.pad(label_N, (0, len(z_ND) - 16)).astype(np.float32)
    return probes.fit_all, z_ND, fits, label_N, np.float32(1)


PROGRAMS = {
    "extraction": lambda: extraction("float32"),
    "extraction with experts": lambda: extraction("float32", **EXPERTS),
    "attention of bfloat16 models": lambda: extraction("bfloat16"),
    "generation": generation,
    "likelihood": likelihood,
    "interventions": interventions,
    "training a classifier": lambda: training_of(Classifier(), training.logits_loss),
    "training an autoencoder": lambda: training_of(Autoencoder(), training.reconstruction_loss),
    "attacks by gradient": lambda: attack(gradients.signed_steps, 0.1, 0.1, 2, True),
    "attacks by decisions": lambda: attack(hop_batch, 1, 10, 5, True, jax.random.key(0)),
    "probes": probe,
    "scans": scan,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_product_of_float32_asks_accelerators_for_float32(name):
    """There is none here: what is asked stands in the program that is made for them."""
    exact, inexact = products(*PROGRAMS[name]())
    assert exact
    assert not inexact


def test_the_fast_mode_leaves_products_to_the_device():
    exact, inexact = products(*extraction("float32", exact=False))
    assert len(inexact) > 5
    # What stays is the means over tokens, by which activations leave.
    assert all(f"tensor<2x1x{TOKENS.shape[1]}xf32>" in line for line in exact)


ASKED = {"dot", "matmul", "einsum", "tensordot", "vdot", "inner", "Dense", "Conv", "dot_general"}


def test_products_in_the_source_name_their_precision():
    """Of jnp, lax and Linen; what a program above does not run is seen here."""
    package = pathlib.Path(personascan.__file__).parent
    silent = []
    for file in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            of_jax = ast.unparse(node.func.value) in ("jnp", "lax", "jax.lax", "jax.numpy", "nn")
            named = {keyword.arg for keyword in node.keywords}
            if of_jax and node.func.attr in ASKED and "precision" not in named:
                silent.append(f"{file.relative_to(package)}:{node.lineno}")
    assert not silent


@pytest.mark.parametrize("inner", [300, 576, 1536, 4100])
def test_long_inner_axes_are_as_exact_as_torchs(inner):
    """Within a factor of 1.5 of torch's own error; term after term it would be up to 4 times it."""
    import torch

    rng = np.random.default_rng(inner)
    x, y = (rng.standard_normal(s).astype(np.float32) for s in ((96, inner), (inner, 64)))
    exact = x.astype(np.float64) @ y.astype(np.float64)

    def error(found):
        return np.sqrt(np.mean((np.asarray(found, np.float64) - exact) ** 2))

    ours = jax.jit(layers.product)(x, y)
    assert ours.dtype == jnp.float32
    assert error(ours) <= 1.5 * error(torch.from_numpy(x) @ torch.from_numpy(y))
    assert error(ours) < 1e-6 * np.abs(exact).max()


def test_attention_over_many_tokens_is_as_exact_as_torchs():
    import torch

    q, k, v = np.random.default_rng(0).standard_normal((3, 1, 1500, 2, 8)).astype(np.float32)
    masked = functools.partial(layers.attention, scale=8**-0.5)
    ours = np.asarray(jax.jit(masked)(q, k, v, layers.causal_mask(1500)))
    heads_first = [torch.from_numpy(a).transpose(1, 2) for a in (q, k, v)]

    def theirs(dtype):
        attend = torch.nn.functional.scaled_dot_product_attention
        return attend(*(a.to(dtype) for a in heads_first), is_causal=True).transpose(1, 2).numpy()

    exact = theirs(torch.float64)
    error, reference = (np.linalg.norm(a - exact) for a in (ours, theirs(torch.float32)))
    assert error <= 1.5 * reference

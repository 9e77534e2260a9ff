"""The inner sites: what the output projections read, its width, and edits there."""

import dataclasses
import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_edits import at_every_token
from tiny_models import VARIANTS, save_tiny

import personascan
from personascan.models.decoder import SITES
from personascan.models.tap import Kept
from personascan.sources.language.batches import Batch
from personascan.sources.language.forward import forward, sown_layers
from personascan.sources.language.sizes import batch_bytes

INNER = ("mlp_hidden", "head_out")
# Layers, width of the stream, of the MLP and of six heads of 16: no two are alike.
SHAPES = dict.fromkeys(SITES, (3, 48))
SHAPES |= {"mlp_hidden": (3, 80), "head_out": (3, 96), "final_norm": (1, 48)}
STATEMENTS = [
    personascan.Statement(f"s{i}", f"I {'really ' * (i % 2)}like walks", "p", "", True, 1.0, "")
    for i in range(5)
]
TOKENS = np.random.default_rng(0).integers(3, 200, (2, 9)).astype(np.int32)
LAST = np.full((2, 1), 8, np.int32)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A Llama with six heads of 16, which share two of keys."""
    folder = tmp_path_factory.mktemp("model")
    model_type, overrides = VARIANTS["llama grouped"]
    save_tiny(folder, model_type, **overrides)
    return personascan.load_model(str(folder))


@pytest.fixture(scope="module")
def experts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("experts")
    model_type, overrides = VARIANTS["mixtral"]
    save_tiny(folder, model_type, **overrides)
    return personascan.load_model(str(folder))


@functools.cache
def compiled(decoder):
    return jax.jit(functools.partial(decoder.apply, mutable="resid_post"))


def resid_post(model, params=None, edits=None):
    """[L, B, 1, D] of the last token."""
    variables = {"params": params or model.params}
    _, sown = compiled(model.decoder())(variables, TOKENS, Kept(LAST), edits)
    return np.asarray(sown_layers(sown, "resid_post"))


def with_block(model, name, change):
    """The parameters, one of the blocks' changed."""
    blocks = model.params["blocks"]
    return model.params | {"blocks": blocks | {name: change(blocks[name])}}


def test_a_neuron_set_to_zero_is_its_row_of_the_down_projection_removed(model):
    scale = np.ones((3, 80), np.float32)
    scale[1, 17] = 0
    edited = resid_post(model, edits=at_every_token("mlp_hidden", scale, 0 * scale, TOKENS))
    without = resid_post(model, with_block(model, "down", lambda w: w.at[1, 17].set(0)))
    np.testing.assert_allclose(edited, without, rtol=1e-5, atol=1e-5)
    before = resid_post(model)
    np.testing.assert_array_equal(edited[0], before[0])
    assert np.abs(edited[1] - before[1]).max() > 1e-3


def test_a_head_set_to_zero_is_its_rows_of_the_output_projection_removed(model):
    scale = np.ones((3, 96), np.float32)
    scale[1, np.arange(96) // model.config.head_dim == 4] = 0
    edited = resid_post(model, edits=at_every_token("head_out", scale, 0 * scale, TOKENS))
    without = resid_post(model, with_block(model, "o", lambda w: w.at[1, 4].set(0)))
    np.testing.assert_allclose(edited, without, rtol=1e-5, atol=1e-5)
    before = resid_post(model)
    np.testing.assert_array_equal(edited[0], before[0])
    assert np.abs(edited[1] - before[1]).max() > 1e-3


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_every_site_has_its_own_width_in_memory_and_on_disk(model, dtype, tmp_path):
    model = personascan.load_model(model.source, dtype=dtype)
    keywords = dict(sites=SITES, positions=("last", "mean", "all"), progress=False)
    found = personascan.extract(model, STATEMENTS, out=tmp_path / "a", **keywords)
    tokens = found.offsets[-1]
    for site, (layers, width) in SHAPES.items():
        for position, rows in (("last", 5), ("mean", 5), ("all", tokens)):
            array = found.stacks[site, position]
            assert (array.shape, array.dtype) == ((layers, rows, width), np.float32)
        assert len(found.layer_names[site]) == layers
    assert found.layer_names["head_out"] == ["head_out 0", "head_out 1", "head_out 2"]
    # What the projections make of them is what the blocks add.
    for site, name, added in (("mlp_hidden", "down", "mlp_out"), ("head_out", "o", "attn_out")):
        weight = np.asarray(model.params["blocks"][name], np.float32).reshape(3, -1, 48)
        made = np.einsum("lnf,lfd->lnd", found.stacks[site, "last"], weight)
        error = np.linalg.norm(made - found.stacks[added, "last"]) / np.linalg.norm(made)
        assert error <= (1e-5 if dtype == "float32" else 0.01)


def test_what_leaves_is_float32_of_a_bfloat16_model(model):
    half = personascan.load_model(model.source, dtype="bfloat16")
    kept = jax.eval_shape(
        lambda: forward(half.params, TOKENS, Kept(LAST), None, decoder=half.decoder(), sites=INNER)
    )
    assert {site: a.dtype for site, a in kept.items()} == dict.fromkeys(INNER, jnp.float32)


def test_a_site_that_is_not_asked_for_is_nowhere_in_the_program(model):
    """Kept of 2 rows are 7 tokens, which no other array has."""
    kept = Kept(np.zeros((2, 7), np.int32))

    def program(*sites):
        made = jax.jit(forward, static_argnames=("decoder", "sites")).lower(
            model.params, TOKENS, kept, None, decoder=model.decoder(), sites=sites
        )
        return made.compile().as_text()

    widths = {"head_out": 96, "mlp_hidden": 80, "resid_post": 48}
    every = program("resid_post", *INNER)
    alone = program("resid_post")
    for site, width in widths.items():
        leaves = re.compile(rf"\[(3,)?2,7,{width}\]")
        assert leaves.search(every)
        assert bool(leaves.search(alone)) == (site == "resid_post")


def test_neurons_of_experts_are_refused_in_one_line(experts):
    refusal = r"^site mlp_hidden: this model's MLP is 5 experts, .* token uses 2, .*; use mlp_out$"
    keywords = dict(sites=("resid_post", "mlp_hidden"))
    with pytest.raises(personascan.InputError, match=refusal):
        personascan.extract(experts, STATEMENTS, **keywords)
    with pytest.raises(personascan.InputError, match=refusal):
        personascan.plan_extraction(experts.source, STATEMENTS, **keywords)
    ones = np.ones((3, 80), np.float32)
    with pytest.raises(personascan.InputError, match=refusal[:-1]):  # JAX adds lines of its own
        resid_post(experts, edits=at_every_token("mlp_hidden", ones, 0 * ones, TOKENS))
    found = personascan.extract(experts, STATEMENTS, sites=("head_out",), progress=False)
    assert found.stacks["head_out", "last"].shape == (3, 5, 48)


@pytest.mark.parametrize(
    ("site", "broken", "index", "node"),
    [
        ("mlp_hidden", "up", (1, slice(None), 7), 7),
        # The second key head is read by heads 3 to 5, of 16 nodes each.
        ("head_out", "v", (1, slice(None), 1, 5), 3 * 16 + 5),
    ],
)
def test_what_is_not_finite_is_named(model, site, broken, index, node):
    params = with_block(model, broken, lambda w: w.at[index].set(np.inf))
    broken_model = dataclasses.replace(model, params=params)
    with pytest.raises(personascan.InputError, match=rf"{site} 1, node {node} is .* s0"):
        personascan.extract(broken_model, STATEMENTS, sites=(site,), progress=False)


@pytest.fixture(scope="module")
def extracted(model):
    """Two positions of every site."""
    return personascan.extract(
        model, STATEMENTS, sites=SITES, positions=("last", "mean"), progress=False
    )


@pytest.mark.parametrize("site", SITES)
def test_a_plans_bytes_follow_the_widths(model, extracted, site):
    layers, width = SHAPES[site]
    keywords = dict(sites=(site,), positions=("last", "mean"))
    plan = personascan.plan_extraction(model.source, STATEMENTS, **keywords)
    assert plan.store_bytes == 4 * 2 * 5 * layers * width
    arrays = [extracted.stacks[site, position] for position in ("last", "mean")]
    assert plan.store_bytes == sum(a.nbytes for a in arrays)


def test_a_batchs_bytes_follow_the_widths(model):
    batch = Batch(np.zeros((4, 32), np.int32), np.full(4, 32), np.arange(4), 4)
    least = batch_bytes(model.config, batch, (), ())
    for site, (layers, width) in SHAPES.items():
        for positions, tokens in ((("last",), 1), (("last", "mean"), 2), (("all", "last"), 33)):
            more = batch_bytes(model.config, batch, (site,), positions) - least
            assert more == 2 * 4 * 4 * tokens * layers * width


def test_an_edit_at_a_site_that_is_none_is_refused(model):
    ones = np.ones((3, 48), np.float32)
    with pytest.raises(personascan.InputError, match="edits names 'mlp_hiden'; sites are"):
        resid_post(model, edits=at_every_token("mlp_hiden", ones, 0 * ones, TOKENS))

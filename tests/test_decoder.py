import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_edits import at_every_token

from personascan.models.config import DecoderConfig, Rope
from personascan.models.decoder import SITES, Decoder
from personascan.models.tap import Kept
from personascan.sources.language.forward import sown_layers

CONFIG = DecoderConfig(
    vocab_size=50,
    layers=3,
    width=16,
    heads=4,
    kv_heads=2,
    head_dim=5,
    mlp_width=24,
    norm_eps=1e-5,
    ropes=(Rope(dim=4, theta=1e4),),
    rope_of_layer=(0, 0, 0),
    max_positions=64,
    tie_embeddings=True,
)
WIDTHS = {"head_out": 20, "mlp_hidden": 24}  # every other site is 16 wide
DECODER = Decoder(CONFIG)
TOKENS = np.random.default_rng(0).integers(0, 50, (2, 9)).astype(np.int32)
ALL = np.broadcast_to(np.arange(9, dtype=np.int32), TOKENS.shape)


@pytest.fixture(scope="module")
def params():
    """Random ones, of norms around 1."""
    rng = np.random.default_rng(2)

    def made(path, leaf):
        noise = 0.4 * rng.normal(size=leaf.shape).astype(np.float32)
        return jnp.asarray(noise + ("norm" in jax.tree_util.keystr(path)))

    shapes = jax.eval_shape(DECODER.init, jax.random.key(0), TOKENS, Kept(ALL))["params"]
    return jax.tree_util.tree_map_with_path(made, shapes)


@functools.cache
def compiled(sites):
    return jax.jit(functools.partial(DECODER.apply, mutable=sites))


def sown(params, sites, tokens=TOKENS, kept=ALL, edits=None):
    _, found = compiled(sites)({"params": params}, tokens, Kept(kept), edits)
    return {site: np.asarray(sown_layers(found, site)) for site in sites}


def test_every_site_has_a_layer_axis_and_kept_positions(params):
    kept = np.array([[8, 0], [3, 3]], np.int32)
    found = sown(params, SITES, kept=kept)
    for site, array in found.items():
        assert array.shape == (1 if site == "final_norm" else 3, 2, 2, WIDTHS.get(site, 16))
    whole = sown(params, SITES)
    for site in SITES:
        np.testing.assert_array_equal(found[site][:, 0, 0], whole[site][:, 0, 8])
        np.testing.assert_array_equal(found[site][:, 1, 1], whole[site][:, 1, 3])


def test_the_residual_stream_adds_up(params):
    found = sown(params, SITES)
    added = found["resid_pre"] + found["attn_out"] + found["mlp_out"]
    np.testing.assert_allclose(found["resid_post"], added, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(found["resid_pre"][1:], found["resid_post"][:-1])


def test_only_what_is_asked_for_is_sown_and_a_silent_site_is_an_error(params):
    _, found = compiled(("mlp_out",))({"params": params}, TOKENS, Kept(ALL))
    assert set(found) == {"mlp_out"}
    with pytest.raises(RuntimeError, match="attn_out has sown 0"):
        sown_layers(found, "attn_out")


def test_no_token_sees_a_later_one(params):
    def first_five(embedding):
        changed = params | {"embedding": embedding}
        tokens = jnp.arange(9, dtype=jnp.int32)[None]  # nine distinct rows of the embedding
        return DECODER.apply({"params": changed}, tokens, Kept(ALL[:1]))[0, :5].sum()

    gradient = np.asarray(jax.jit(jax.grad(first_five))(params["embedding"]))
    # The embedding is tied to nothing here: logits are not taken.
    assert np.abs(gradient[:5]).min(axis=1).max() > 0
    np.testing.assert_array_equal(gradient[5:], 0)


def test_the_answer_does_not_depend_on_what_shares_the_batch(params):
    alone = sown(params, SITES, TOKENS[:1, :6], ALL[:1, :6])
    together = sown(params, SITES)
    for site in SITES:
        np.testing.assert_allclose(
            alone[site][:, 0], together[site][:, 0, :6], rtol=1e-5, atol=1e-5
        )


@pytest.mark.slow
def test_jit_changes_nothing(params):
    whole = sown(params, ("resid_post",))["resid_post"]
    with jax.disable_jit():
        plain = sown(params, ("resid_post",))["resid_post"]
    np.testing.assert_allclose(whole, plain, rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module")
def unedited(params):
    return sown(params, SITES)


def edited(params, site=None, layer=0):
    """With node 4 of one layer of a site set to 2.5, and the other sites' edits doing nothing."""
    sites = {}
    for name in SITES:
        scale = np.ones(CONFIG.site_shape(name), np.float32)
        shift = np.zeros_like(scale)
        if name == site:
            scale[layer, 4], shift[layer, 4] = 0.0, 2.5
        sites |= at_every_token(name, scale, shift, TOKENS).sites
    template = at_every_token(SITES[0], scale, shift, TOKENS)
    return sown(params, SITES, edits=template._replace(sites=sites))


@pytest.mark.parametrize("site", SITES)
def test_edits_change_a_site_from_their_layer_on(params, unedited, site):
    layers, _ = CONFIG.site_shape(site)
    layer = layers - 1 if layers == 1 else 1
    after = edited(params, site, layer)
    np.testing.assert_array_equal(after[site][layer, ..., 4], 2.5)
    if layers == 3:
        np.testing.assert_array_equal(after["resid_post"][0], unedited["resid_post"][0])
        assert np.abs(after["resid_post"][2] - unedited["resid_post"][2]).max() > 1e-3


def test_edits_of_nothing_change_nothing(params, unedited):
    for name, array in edited(params).items():
        np.testing.assert_array_equal(array, unedited[name])


def test_a_site_is_edited_without_the_others(params, unedited):
    scale, shift = np.ones((3, 16), np.float32), np.zeros((3, 16), np.float32)
    scale[1, 4], shift[1, 4] = 0.0, 2.5
    alone = sown(params, SITES, edits=at_every_token("resid_post", scale, shift, TOKENS))
    for name, array in edited(params, "resid_post", 1).items():
        np.testing.assert_array_equal(alone[name], array)
    assert (alone["resid_post"] != unedited["resid_post"]).any()


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_forward_pass_lowers_for_accelerators(platform, dtype):
    """There is none here: only that the program can be made for them."""
    from jax import export

    from personascan.models.checkpoint import parameter_shapes
    from personascan.sources.language.forward import forward

    decoder = Decoder(CONFIG, jnp.dtype(dtype))
    lowered = jax.jit(functools.partial(forward, decoder=decoder, sites=SITES))
    lengths = jax.ShapeDtypeStruct((2,), jnp.int32)
    tokens = jax.ShapeDtypeStruct(TOKENS.shape, jnp.int32)
    made = export.export(lowered, platforms=[platform])(
        parameter_shapes(CONFIG, dtype), tokens, Kept(tokens), lengths
    )
    assert made.platforms == (platform,)
    assert "dot_general" in made.mlir_module()


@pytest.mark.parametrize(
    "value", [0.0, -0.0, 1.0, 3.0000001, -65504.5, 3.4e38, 1e-40, np.inf, np.nan]
)
def test_operands_are_rounded_to_the_nearest_even(value):
    from personascan.models.layers import operand

    x = np.full((3,), value, np.float32)
    found = np.asarray(jax.jit(lambda x: operand(x, jnp.bfloat16))(x)).astype(np.float32)
    expected = x.astype(jnp.bfloat16).astype(np.float32)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


def test_random_operands_are_rounded_as_numpy_rounds_them():
    from personascan.models.layers import operand

    bits = np.random.default_rng(0).integers(0, 2**32, 100_000, dtype=np.uint32)
    x = bits.view(np.float32)
    found = np.asarray(jax.jit(lambda x: operand(x, jnp.bfloat16))(x)).astype(np.float32)
    with np.errstate(invalid="ignore"):  # some are signalling NaN
        expected = x.astype(jnp.bfloat16).astype(np.float32)
    np.testing.assert_array_equal(found, expected)


def test_bits_are_taken_for_bfloat16(params):
    from personascan.models.parameters import as_bits

    half = jax.tree.map(lambda p: p.astype(jnp.bfloat16), params)
    half["final_norm"] = params["final_norm"]
    half["blocks"] |= {n: params["blocks"][n] for n in ("attn_norm", "mlp_norm")}
    decoder = Decoder(CONFIG, jnp.dtype("bfloat16"))
    apply = jax.jit(decoder.apply)
    whole, bits = (apply({"params": p}, TOKENS, Kept(ALL)) for p in (half, as_bits(half)))
    np.testing.assert_array_equal(whole, bits)

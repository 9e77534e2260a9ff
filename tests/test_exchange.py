"""Directions and node sets written and read again: our files, llama.cpp's, other people's."""

import dataclasses
import json
import struct

import gguf
import jax
import ml_dtypes
import numpy as np
import pytest
import safetensors
from safetensors.numpy import save, save_file
from tiny_edits import at_every_token

from personascan.errors import InputError
from personascan.interventions.exchange import (
    RECORD,
    Direction,
    control_vectors,
    read_direction,
    write_gguf,
    write_safetensors,
)
from personascan.models.config import DecoderConfig
from personascan.models.decoder import SITES, Decoder
from personascan.models.tap import Kept

CONFIG = DecoderConfig(
    vocab_size=20, layers=5, width=8, heads=2, kv_heads=1, head_dim=6, mlp_width=16,
    max_positions=32,
)  # fmt: skip
POST_NORM = dataclasses.replace(CONFIG, norms=("attn_add_norm", "mlp_add_norm"))
PARALLEL = dataclasses.replace(CONFIG, parallel=True, norms=("attn_norm",))
EXPERTS = dataclasses.replace(CONFIG, experts=4, experts_per_token=2)
ENCODER = dataclasses.replace(CONFIG, causal=False)
rng = np.random.default_rng(0)
MADE_OF = {"model": "pypi:x==1", "sha256": "ab" * 32, "half": 0, "units": ["ä", None, 1.5]}


def vector(site="resid_post"):
    return rng.normal(size=CONFIG.site_shape(site)[1]).astype(np.float32)


def everywhere():
    """At every site, with awkward numbers in it."""
    shift = {(site, 0 if site == "final_norm" else 3): vector(site) for site in SITES}
    shift["resid_post", 0] = np.array([-0.0, 1e-45, 3e38, 0.1, 1, 2, 3, -7], np.float32)
    nodes = {place: np.sign(np.round(x_D)).astype(np.int8) for place, x_D in shift.items()}
    return Direction("a dänger", shift, nodes, MADE_OF)


def stream(*layers):
    return Direction("s", {("resid_post", k): vector() for k in layers or (1, 4)}, record=MADE_OF)


def refused(match, call, *args, **kwargs):
    with pytest.raises(InputError, match=match) as caught:
        call(*args, **kwargs)
    assert "\n" not in str(caught.value)


def same(one: Direction, other: Direction):
    assert (one.name, one.record) == (other.name, other.record)
    same_values(one, other)


def same_values(one: Direction, other: Direction):
    for ours, theirs in ((one.shift, other.shift), (one.nodes, other.nodes)):
        assert ours.keys() == theirs.keys()
        for place, x_D in ours.items():
            assert (x_D.dtype, x_D.shape) == (theirs[place].dtype, theirs[place].shape)
            assert x_D.tobytes() == theirs[place].tobytes()


def test_safetensors_come_back_bit_for_bit(tmp_path):
    written = everywhere()
    write_safetensors(tmp_path / "d.safetensors", written)
    same(read_direction(tmp_path / "d.safetensors", CONFIG), written)
    write_safetensors(tmp_path / "e.safetensors", written)
    assert (tmp_path / "d.safetensors").read_bytes() == (tmp_path / "e.safetensors").read_bytes()
    with safetensors.safe_open(tmp_path / "d.safetensors", framework="numpy") as file:
        assert json.loads(file.metadata()[RECORD])["record"] == MADE_OF
        assert file.get_tensor("nodes.head_out.3").dtype == np.int8
        assert set(file.keys()) == {
            f"{kind}.{site}.{layer}" for kind in ("direction", "nodes")
            for site, layer in written.shift
        }  # fmt: skip


def test_gguf_is_what_the_format_says(tmp_path):
    written = stream(4, 1)
    write_gguf(tmp_path / "d.gguf", written, CONFIG, "llama")
    reader = gguf.GGUFReader(tmp_path / "d.gguf")
    fields = {name: field.contents() for name, field in reader.fields.items()}
    assert fields["general.architecture"] == "controlvector"
    assert fields["controlvector.model_hint"] == "llama"
    assert fields["controlvector.layer_count"] == 2
    assert json.loads(fields[RECORD])["record"] == MADE_OF
    assert [t.name for t in reader.tensors] == ["direction.1", "direction.4"]
    for tensor in reader.tensors:
        assert tensor.tensor_type == gguf.GGMLQuantizationType.F32
        assert tensor.shape.tolist() == [CONFIG.width]
        layer = int(tensor.name.split(".")[1])
        assert tensor.data.tobytes() == written.shift["resid_post", layer].tobytes()


def test_gguf_comes_back_bit_for_bit_without_nodes(tmp_path):
    written = stream()
    nodes = {("resid_post", 1): np.ones(8, np.int8)}
    write_gguf(tmp_path / "d.gguf", dataclasses.replace(written, nodes=nodes), CONFIG, "llama")
    same(read_direction(tmp_path / "d.gguf", CONFIG), written)


def test_vectors_of_one_block_are_summed():
    a, b, c = vector(), vector(), vector()
    shift = {("resid_post", 2): a, ("mlp_out", 2): b, ("resid_pre", 3): c}
    found = control_vectors(Direction("s", shift), CONFIG)
    np.testing.assert_array_equal(found.shift.pop(("resid_post", 2)), a + b + c)
    assert not found.shift


def model_output(config):
    """The final norm of a random model with a vector added at a place."""
    tokens_BT = np.arange(12, dtype=np.int32).reshape(2, 6)
    decoder, kept = Decoder(config), Kept(np.zeros((2, 0), np.int32))
    variables = jax.jit(decoder.init)(jax.random.key(1), tokens_BT, kept)
    apply = jax.jit(decoder.apply)

    def output(site, layer, x_D):
        shape = config.site_shape(site)
        shift_LD = np.zeros(shape, np.float32)
        shift_LD[layer] = x_D
        edits = at_every_token(site, np.ones(shape, np.float32), shift_LD, tokens_BT)
        return np.asarray(apply({"params": variables["params"]}, tokens_BT, kept, edits))

    return output


@pytest.mark.parametrize(
    ("site", "config"),
    [("resid_pre", CONFIG), ("mlp_out", CONFIG), ("mlp_out", PARALLEL), ("attn_out", PARALLEL),
     ("resid_pre", POST_NORM)],
)  # fmt: skip
def test_what_moves_to_another_place_has_the_same_effect(site, config):
    x_D = vector()
    found = control_vectors(Direction("s", {(site, 2): x_D}), config)
    ((place, moved_D),) = found.shift.items()
    output = model_output(config)
    before, after = output(site, 2, x_D), output(*place, moved_D)
    assert np.abs(before - output(site, 2, 0 * x_D)).max() > 0.1
    np.testing.assert_allclose(after, before, atol=1e-4)


@pytest.mark.parametrize(
    ("site", "layer", "config", "match"),
    [
        ("resid_post", 0, CONFIG, "resid_post 0: .*before block 1 has ended"),
        ("resid_pre", 0, CONFIG, "before block 1"),
        ("resid_pre", 1, CONFIG, "before block 1"),
        ("mlp_out", 0, CONFIG, "before block 1"),
        ("attn_out", 2, CONFIG, "MLP has read attn_out by then; write .safetensors"),
        ("head_out", 2, CONFIG, "head_out is projected"),
        ("mlp_hidden", 2, CONFIG, "mlp_hidden is projected"),
        ("final_norm", 0, CONFIG, "after the last of them"),
        ("mlp_out", 2, POST_NORM, "a norm stands between"),
        ("resid_post", 2, ENCODER, "encoders"),
        ("resid_post", 5, CONFIG, "none of this model's.*0 to 4"),
        ("mlp_hidden", 2, EXPERTS, "no neurons that all tokens share"),
    ],
)
def test_what_llama_cpp_cannot_add_is_refused(site, layer, config, match, tmp_path):
    direction = Direction("s", {("resid_post", 1): vector(), (site, layer): vector(site)})
    refused(match, write_gguf, tmp_path / "d.gguf", direction, config, "llama")
    assert not list(tmp_path.iterdir())


def test_sums_that_are_nothing_or_too_large_are_refused(tmp_path):
    x_D = np.full(8, 3e38, np.float32)
    for other_D, match in ((-x_D, "0 everywhere"), (x_D, "not finite")):
        direction = Direction("s", {("resid_post", 2): x_D, ("mlp_out", 2): other_D})
        refused(match, write_gguf, tmp_path / "d.gguf", direction, CONFIG, "llama")
    assert not list(tmp_path.iterdir())


AT = ("resid_post", 1)
NAN = np.array([np.nan] * 8, np.float32)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        (dict(name=""), "name ''"),
        (dict(name="a\nb"), "characters that show"),
        (dict(name="\ud800"), "characters that show"),
        (dict(name=None), "name None"),
        (dict(shift={}), "has no vector"),
        (dict(shift={AT: np.zeros(8, np.float32)}), "0 everywhere"),
        (dict(shift={AT: NAN}), "not finite"),
        (dict(shift={AT: np.ones(8)}), "float64 of shape"),
        (dict(shift={AT: np.ones((1, 8), np.float32)}), r"shape \(1, 8\)"),
        (dict(shift={("logits", 1): vector()}), "'logits' 1 is no place"),
        (dict(shift={("resid_post", -1): vector()}), "is no place"),
        (dict(shift={("final_norm", 1): vector()}), "is no place"),
        (dict(nodes={AT: np.ones(8, np.int64)}), "give int8"),
        (dict(nodes={AT: np.full(8, 2, np.int8)}), "not all 1, -1 or 0"),
        (dict(record={"x": np.float32(1)}), "not JSON"),
        (dict(record={"x": float("nan")}), "not JSON"),
        (dict(record={"x": (1, 2)}), "changes as JSON"),
        (dict(record={1: 2}), "changes as JSON"),
        (dict(record=[]), "changes as JSON"),
    ],
)
def test_what_cannot_be_used_is_not_written(changes, match, tmp_path):
    direction = dataclasses.replace(stream(), **changes)
    refused(match, write_safetensors, tmp_path / "d.safetensors", direction)
    refused(match, write_gguf, tmp_path / "d.gguf", direction, CONFIG, "llama")
    assert not list(tmp_path.iterdir())


def test_places_that_cannot_be_written_are_left_as_they_are(tmp_path):
    direction = stream()
    refused("end in .safetensors", write_safetensors, tmp_path / "d.pt", direction)
    refused("end in .gguf", write_gguf, tmp_path / "d.bin", direction, CONFIG, "llama")
    refused("architecture = ''", write_gguf, tmp_path / "d.gguf", direction, CONFIG, "")
    assert not list(tmp_path.iterdir())
    writers = {
        "d.safetensors": write_safetensors,
        "d.gguf": lambda *args, **kw: write_gguf(*args, CONFIG, "llama", **kw),
    }
    for name, write in writers.items():
        (tmp_path / name).write_text("mine")
        refused("exists already; .*overwrite=True", write, tmp_path / name, direction)
        assert (tmp_path / name).read_text() == "mine"
        write(tmp_path / name, direction, overwrite=True)
        same(read_direction(tmp_path / name, CONFIG), direction)
    assert {p.name for p in tmp_path.iterdir()} == set(writers)


def test_a_disk_that_fills_up_leaves_nothing(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(gguf.GGUFWriter, "write_tensors_to_file", full)
    refused("cannot be written", write_gguf, tmp_path / "d.gguf", stream(), CONFIG, "llama")
    assert not list(tmp_path.iterdir())


# Other people's files.


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64])
def test_foreign_safetensors(dtype, tmp_path):
    x_LD = rng.normal(size=(2, 8)).astype(dtype)
    metadata = {"format": "pt"}
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(save({"direction.0": x_LD[0], "direction.mlp_out.4": x_LD[1]}, metadata))
    found = read_direction(path, CONFIG)
    shift = {("resid_post", 0): x_LD[0], ("mlp_out", 4): x_LD[1]}
    shift = {place: x_D.astype(np.float32) for place, x_D in shift.items()}
    same(found, Direction("foreign", shift))


def control_file(path, tensors, architecture="controlvector", raw=None):
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_string("controlvector.model_hint", "llama")
    for name, x_D in tensors.items():
        writer.add_tensor(name, x_D, raw_dtype=raw)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_foreign_control_vectors(dtype, tmp_path):
    x_LD = rng.normal(size=(2, 8)).astype(dtype)
    x_LD[1] = 0  # generators write every layer
    tensors = {"direction.1": x_LD[0], "direction.4": x_LD[1]}
    found = read_direction(control_file(tmp_path / "foreign.gguf", tensors), CONFIG)
    shift = {("resid_post", k): x_LD[i].astype(np.float32) for i, k in enumerate((1, 4))}
    same(found, Direction("foreign", shift))


def test_a_foreign_control_vector_of_bfloat16(tmp_path):
    x_D = rng.normal(size=8).astype(ml_dtypes.bfloat16)
    kind = gguf.GGMLQuantizationType.BF16
    path = control_file(tmp_path / "f.gguf", {"direction.2": x_D.view(np.uint8)}, raw=kind)
    found = read_direction(path, CONFIG)
    np.testing.assert_array_equal(found.shift["resid_post", 2], x_D.astype(np.float32))


def test_one_vector_is_put_where_it_is_said(tmp_path):
    for at, place in {
        "resid_post 3": ("resid_post", 3),
        "mlp_out 50%": ("mlp_out", 2),
        "final_norm": ("final_norm", 0),
    }.items():
        x_D = vector(place[0])
        save_file({"refusal": x_D}, tmp_path / "one.safetensors")
        found = read_direction(str(tmp_path / "one.safetensors"), CONFIG, at=at)
        same(found, Direction("one", {place: x_D}))


ONE, TWO = {"v": np.ones(8, np.float32)}, {"direction.2": np.ones(8, np.float32)}


@pytest.mark.parametrize(
    ("tensors", "at", "match"),
    [
        (ONE, "", 'say so: at="resid_post 16"'),
        (ONE, "resid_post", "is no place; give a site"),
        (ONE, "logits 3", "is no place"),
        (ONE, "final_norm 0", "is no place"),
        (ONE, " ", "is no place"),
        (ONE, "resid_post 5", "layer 5 is none"),
        (ONE, "resid_post -1", "layer -1 is none"),
        (ONE, "mlp_hidden 2", "shape .8,., and this model's mlp_hidden has 16"),
        (TWO, "resid_post 3", "leave at = 'resid_post 3' out"),
        ({}, "", "holds no tensor"),
        (dict.fromkeys("abcd", ONE["v"]), "resid_post 3", "holds a, b, c, ...; give"),
        (ONE | TWO, "", "holds v; give"),
        (TWO | {"direction.02": ONE["v"]}, "", "holds direction.02;"),
        (TWO | {"direction.resid_post.2": ONE["v"]}, "", "two vectors for one place"),
        ({"direction.5": ONE["v"]}, "", "resid_post 5 is none of this model's.*0 to 4"),
        ({"direction.123456789": ONE["v"]}, "", "resid_post 123456789 is none"),
        ({"direction.2": np.ones(9, np.float32)}, "", "has 8 nodes; use the model"),
        ({"direction.2": np.ones(0, np.float32)}, "", "0 everywhere"),
        ({"direction.2": np.ones((2, 8), np.float32)}, "", r"shape \(2, 8\)"),
        ({"direction.2": np.float32(1)}, "", r"shape \(\)"),
        ({"direction.2": np.ones(8, np.int32)}, "", "type int32, not of a floating"),
        ({"direction.2": np.zeros(8, np.float32)}, "", "0 everywhere"),
        ({"direction.2": NAN}, "", "not finite"),
        ({"direction.2": np.full(8, 1e39)}, "", "not finite as float32"),
        ({"direction.logits.2": ONE["v"]}, "", "'logits' 2 is no place"),
        (TWO | {"nodes.resid_post.2": ONE["v"]}, "", "give int8"),
        ({"nodes.resid_post.2": np.ones(8, np.int8)}, "", "has no vector"),
    ],
)
def test_what_does_not_fit_is_refused(tensors, at, match, tmp_path):
    path = tmp_path / "d.safetensors"
    path.write_bytes(save({name: np.asarray(x) for name, x in tensors.items()}))
    refused(match, read_direction, path, CONFIG, at=at)
    if tensors and not any(np.size(x) == 0 or np.ndim(x) == 0 for x in tensors.values()):
        path = control_file(tmp_path / "d.gguf", tensors)
        refused(match, read_direction, path, CONFIG, at=at)


def test_neurons_that_experts_do_not_have_are_refused(tmp_path):
    write_safetensors(tmp_path / "d.safetensors", everywhere())
    refused("no neurons that all", read_direction, tmp_path / "d.safetensors", EXPERTS)


def test_gguf_files_of_another_kind_are_refused(tmp_path):
    model = control_file(tmp_path / "m.gguf", TWO, architecture="llama")
    refused("no control vector .its architecture is llama", read_direction, model, CONFIG)
    zero = control_file(tmp_path / "z.gguf", {"direction.0": ONE["v"]} | TWO)
    refused("direction.0 is of no block", read_direction, zero, CONFIG)
    wide = dataclasses.replace(CONFIG, width=32)
    kind = gguf.GGMLQuantizationType.Q8_0
    packed_D = gguf.quantize(np.ones((1, 32), np.float32), kind).ravel()
    packed = control_file(tmp_path / "q.gguf", {"direction.2": packed_D}, raw=kind)
    refused("quantised as Q8_0; give it as F32", read_direction, packed, wide)


@pytest.mark.parametrize(
    ("name", "match"),
    [(f"d{s}", "may run code") for s in (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".PT")]
    + [(f"d{s}", "name no layers") for s in (".npz", ".npy")]
    + [("d.txt", "by its name"), ("d", "by its name")],
)
def test_other_files_are_not_opened(name, match, tmp_path):
    refused(match, read_direction, tmp_path / name, CONFIG)  # nor need they be there


@pytest.mark.parametrize("suffix", [".safetensors", ".gguf"])
def test_files_that_are_none_are_refused(suffix, tmp_path):
    path = tmp_path / f"d{suffix}"
    refused("does not exist", read_direction, path, CONFIG)
    path.mkdir()
    refused("not a file", read_direction, path, CONFIG)
    path.rmdir()
    for content in (b"", b"\x80\x04K\x01.", b"PK\x03\x04" * 20, rng.bytes(500)):
        path.write_bytes(content)
        refused("corrupt or truncated", read_direction, path, CONFIG)


@pytest.mark.parametrize("suffix", [".safetensors", ".gguf"])
def test_damage_is_noticed_at_every_byte(suffix, tmp_path):
    """A changed byte, and an end that is missing; the name of the record's key is no part of it."""
    path, written = tmp_path / f"d{suffix}", stream(2)
    if suffix == ".gguf":
        write_gguf(path, written, CONFIG, "llama")
    else:
        write_safetensors(path, written)
    whole = path.read_bytes()
    damaged = [whole[:size] for size in range(len(whole) - 32, len(whole))]
    damaged += [whole[:size] for size in range(0, len(whole) - 32, 7)]
    for i, byte in enumerate(whole):
        damaged.append(whole[:i] + bytes([byte ^ (1 << i % 8)]) + whole[i + 1 :])
    refusals = 0
    for content in damaged:
        path.write_bytes(content)
        try:
            found = read_direction(path, CONFIG)
        except InputError:
            refusals += 1
        else:
            same_values(found, written)
            assert (found.name, found.record) in (("s", MADE_OF), ("d", {}))
    assert refusals > 0.75 * len(damaged)


@pytest.mark.parametrize("note", ["{", "[]", "1", '{"sha256": "x"}', "[" * 9999, '{"name": "x"}'])
def test_a_record_that_is_none_is_damage(note, tmp_path):
    path = tmp_path / "d.safetensors"
    save_file(TWO, path, metadata={RECORD: note})
    refused("is damaged", read_direction, path, CONFIG)


def test_a_vector_that_was_changed_since_is_damage(tmp_path):
    path = tmp_path / "d.safetensors"
    write_safetensors(path, stream(2))
    content = path.read_bytes()
    path.write_bytes(content[:-4] + struct.pack("<f", 9.0))
    refused("not what was written", read_direction, path, CONFIG)

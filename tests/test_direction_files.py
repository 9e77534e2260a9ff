"""Directions and node sets written and read again: our files and llama.cpp's."""

import dataclasses
import json

import gguf
import jax
import numpy as np
import pytest
import safetensors
from tiny_directions import (
    CONFIG,
    ENCODER,
    EXPERTS,
    MADE_OF,
    NAN,
    PARALLEL,
    POST_NORM,
    everywhere,
    refused,
    same,
    stream,
    vector,
)
from tiny_edits import at_every_token

from personascan.direction import Direction
from personascan.interventions.control_vectors import control_vectors
from personascan.interventions.direction_files import (
    RECORD,
    read_direction,
    write_gguf,
    write_safetensors,
)
from personascan.models.decoder import Decoder
from personascan.models.tap import Kept


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


@pytest.mark.parametrize("suffix", [".safetensors", ".gguf"])
def test_a_direction_of_another_model_is_read_with_a_note(tmp_path, capsys, suffix):
    record = {"model": "someone/el\x1bse", "model_sha256": "0" * 64}
    path, made = tmp_path / f"d{suffix}", dataclasses.replace(stream(2), record=record)
    if suffix == ".gguf":
        write_gguf(path, made, CONFIG, "llama")
    else:
        write_safetensors(path, made)
    read_direction(path, CONFIG, model_sha256="0" * 64)
    assert capsys.readouterr().err == ""
    read_direction(path, CONFIG, model_sha256="1" * 64)
    assert r"was made for someone/el\x1bse, another model than" in capsys.readouterr().err
    read_direction(path, CONFIG)
    assert "whether this is that model was not checked" in capsys.readouterr().err


@pytest.mark.parametrize("shift_D", [[1.0] * 8, np.ma.masked_equal(np.ones(8, np.float32), 2)])
def test_vectors_that_are_no_plain_arrays_are_refused(tmp_path, shift_D):
    direction = Direction("d", {("resid_post", 2): shift_D})
    refused("as a NumPy array", write_safetensors, tmp_path / "d.safetensors", direction)


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

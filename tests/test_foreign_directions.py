"""Directions of other people's files, and files that are damaged or none."""

import dataclasses
import struct

import gguf
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save, save_file
from tiny_directions import (
    CONFIG,
    EXPERTS,
    MADE_OF,
    NAN,
    everywhere,
    refused,
    rng,
    same,
    same_values,
    stream,
    vector,
)

from personascan.direction import Direction
from personascan.errors import InputError
from personascan.interventions.direction_files import (
    RECORD,
    read_direction,
    write_gguf,
    write_safetensors,
)


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
    + [("d.txt", "by its name"), ("d", "does not exist")],
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

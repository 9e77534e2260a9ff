"""Loading: dtypes, memory, kept conversions, a mesh of devices."""

import json
import os
import pathlib
import subprocess
import sys
import tracemalloc

import jax
import numpy as np
import pytest
from tiny_models import save_tiny, save_tiny_llama

import personascan
from personascan.models import load, parameter_cache
from personascan.models.checkpoint import leaves_by_path
from personascan.sharding import parse_mesh

TESTS = pathlib.Path(__file__).parent


def rewrite(folder, change):
    from safetensors.flax import load_file, save_file

    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path)


def flat(params):
    return leaves_by_path(params)[0]


@pytest.mark.parametrize("stored", ["bfloat16", "float16"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_half_checkpoints_are_read_into_either_dtype(tmp_path, stored, dtype):
    save_tiny_llama(tmp_path)
    rewrite(tmp_path, lambda t: {k: v.astype(stored) for k, v in t.items()})
    found = flat(personascan.load_model(str(tmp_path), dtype=dtype, cache=False).params)
    exact = flat(personascan.load_model(str(tmp_path), cache=False).params)
    for path, p in found.items():
        assert str(p.dtype) == ("float32" if "norm" in path else dtype)
        np.testing.assert_array_equal(p, exact[path].astype(p.dtype))


def test_values_that_the_dtype_cannot_hold_are_refused(tmp_path):
    save_tiny_llama(tmp_path)
    large = 3.4e38  # above the largest bfloat16, below the largest float32

    def change(tensors):
        name = "model.layers.1.mlp.up_proj.weight"
        return tensors | {name: tensors[name].at[3, 5].set(large)}

    rewrite(tmp_path, change)
    personascan.load_model(str(tmp_path), cache=False)
    with pytest.raises(personascan.InputError, match=r"layers\.1\.mlp\.up_proj.* holds 3\.39") as e:
        personascan.load_model(str(tmp_path), dtype="bfloat16", cache=False)
    assert "use dtype float32" in str(e.value)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A model beside whose parameters all else is small."""
    folder = tmp_path_factory.mktemp("large")
    save_tiny(
        folder, "llama", hidden_size=384, intermediate_size=1152, num_hidden_layers=14,
        vocab_size=1500, shard="10MB",
    )  # fmt: skip
    return folder


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_host_holds_one_stacked_tensor_at_a_time(large, dtype, monkeypatch):
    """Beyond the parameters at most the largest stacked one + 10%, each tensor read once."""
    from personascan.models import checkpoint

    reads = {}
    opened = checkpoint.open_safetensors

    def counted(*weights):
        tensors = opened(*weights)

        def read(name):
            reads[name] = reads.get(name, 0) + 1
            return tensors.read(name)

        return checkpoint.Tensors(tensors.names, read)

    monkeypatch.setattr(load, "open_safetensors", counted)
    beyond, became = [], []

    def put(array, sharding):
        beyond.append(tracemalloc.get_traced_memory()[1] - sum(became))
        made = real_put(array, sharding)
        beyond.append(tracemalloc.get_traced_memory()[1] - sum(became))
        # A host array that is aligned becomes the parameter itself, without a copy.
        (shard,) = made.addressable_shards
        if shard.data.unsafe_buffer_pointer() == array.ctypes.data:
            became.append(array.nbytes)
        tracemalloc.reset_peak()
        return made

    real_put = checkpoint.put
    personascan.load_model(str(large), dtype=dtype, cache=False)  # imports and traces are done
    monkeypatch.setattr(checkpoint, "put", put)
    reads.clear()
    tracemalloc.start()
    model = personascan.load_model(str(large), dtype=dtype, cache=False)
    tracemalloc.stop()
    largest = max(p.nbytes for p in flat(model.params).values())
    assert largest <= max(beyond) <= 1.1 * largest
    assert set(reads.values()) == {1}


def test_a_second_start_reads_the_kept_conversion(tmp_path, monkeypatch, converted_copies):
    save_tiny_llama(tmp_path / "m", intermediate_size=72)  # no other test's model
    first = personascan.load_model(str(tmp_path / "m"))
    entry = parameter_cache.entry_folder(first.sha256, "float32")
    assert entry.parent.parent == converted_copies
    assert entry.is_dir()
    with monkeypatch.context() as patch:
        patch.setattr(load, "open_safetensors", lambda *_: pytest.fail("was read again"))
        second = personascan.load_model(str(tmp_path / "m"))
        with pytest.raises(pytest.fail.Exception):
            personascan.load_model(str(tmp_path / "m"), dtype="bfloat16")
        with pytest.raises(pytest.fail.Exception):
            personascan.load_model(str(tmp_path / "m"), cache=False)
    assert all(jax.tree.leaves(jax.tree.map(np.array_equal, first.params, second.params)))
    # Another file of the same name is another source.
    rewrite(tmp_path / "m", lambda t: {k: v + 1 for k, v in t.items()})
    third = personascan.load_model(str(tmp_path / "m"))
    assert third.sha256 != first.sha256
    assert not np.array_equal(third.params["embedding"], first.params["embedding"])


def test_damaged_and_half_written_conversions_are_made_anew(tmp_path, capsys):
    save_tiny_llama(tmp_path)
    first = personascan.load_model(str(tmp_path))
    entry = parameter_cache.entry_folder(first.sha256, "float32")
    partial = entry.parent / f".{entry.name}.personascan-0123abcd"
    (partial / "params").mkdir(parents=True)  # as a killed process leaves it
    for file in sorted((entry / "params").rglob("*")):
        if file.is_file() and file.stat().st_size > 1000:
            file.write_bytes(file.read_bytes()[:-500])
    again = personascan.load_model(str(tmp_path))
    assert "is damaged" in capsys.readouterr().err
    assert not partial.exists()
    assert all(jax.tree.leaves(jax.tree.map(np.array_equal, first.params, again.params)))
    personascan.load_model(str(tmp_path))
    assert capsys.readouterr().err == ""


def test_a_cache_that_cannot_be_written_is_only_a_notice(tmp_path, monkeypatch, capsys):
    save_tiny_llama(tmp_path / "m")
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(parameter_cache, "cache_folder", lambda: tmp_path / "file")
    model = personascan.load_model(str(tmp_path / "m"))
    assert model.config.layers == 3
    assert "converted parameters are not kept" in capsys.readouterr().err


def test_gguf_starts_again_without_its_file_being_read(tmp_path, monkeypatch):
    from tiny_models import write_tiny_gguf

    fields = {
        "ggml.bos_token_id": 1, "ggml.eos_token_id": 0, "ggml.eot_token_id": 2,
        "ggml.add_bos_token": True, "ggml.add_eos_token": True, "chat_template.tools": "T",
    }  # fmt: skip
    write_tiny_gguf(tmp_path / "t.gguf", tokenizer=fields)
    first = personascan.load_model(str(tmp_path / "t.gguf"))
    monkeypatch.setattr(load, "open_gguf", lambda path: pytest.fail("was read again"))
    second = personascan.load_model(str(tmp_path / "t.gguf"))
    assert second.config == first.config
    texts = ["the <|im_end|> thing", "naïve 🙂", ""]
    assert second.tokenizer(texts)["input_ids"] == first.tokenizer(texts)["input_ids"]
    assert second.tokenizer("th")["input_ids"] == [1, 259, 0]
    assert second.tokenizer.chat_template == first.tokenizer.chat_template
    assert sorted(second.tokenizer.chat_template) == ["default", "tools"]
    assert second.stops == first.stops == (0, 2)
    assert all(jax.tree.leaves(jax.tree.map(np.array_equal, first.params, second.params)))


def test_names_without_their_first_part_and_buffers_are_read(tmp_path):
    """GPT-2 as first published: no `transformer.` in front, masks among the tensors."""
    save_tiny(
        tmp_path, "gpt2", num_key_value_heads="drop", intermediate_size="drop",
        tie_word_embeddings=True,
    )  # fmt: skip
    whole = personascan.load_model(str(tmp_path), cache=False)

    def change(tensors):
        short = {k.removeprefix("transformer."): v for k, v in tensors.items()}
        return short | {f"h.{i}.attn.bias": np.ones((1, 1, 4, 4), np.float32) for i in range(3)}

    rewrite(tmp_path, change)
    short = personascan.load_model(str(tmp_path), cache=False)
    assert all(jax.tree.leaves(jax.tree.map(np.array_equal, whole.params, short.params)))


MESHED = """
import json, sys
import jax, numpy as np
import personascan
from personascan import Statement
folder, out = sys.argv[1:]
texts = [f"I like number {i:02}" for i in range(11)]  # of one length: one pass is compiled
statements = [Statement(f"s{i}", t, "p", "", True, 1.0, "") for i, t in enumerate(texts)]
mesh = personascan.device_mesh(data=2, model=4)
model = personascan.load_model(folder, mesh=mesh)
again = personascan.load_model(folder, mesh=mesh)  # the kept conversion, each device its part
single = personascan.load_model(folder, cache=False)
found = {}
for name, m in (("mesh", model), ("restored", again), ("single", single)):
    sites = ("head_out", "attn_out", "resid_post", "final_norm")
    sites += () if m.config.experts else ("mlp_hidden",)
    got = personascan.extract(m, statements, sites=sites,
                              positions=("last", "mean"), progress=False)
    found |= {f"{name}/{s}/{p}": a for (s, p), a in got.stacks.items()}
np.savez(out, **found)
spread = {}
for path, p in personascan.models.checkpoint.leaves_by_path(again.params)[0].items():
    spread[path] = [len(p.sharding.device_set), p.addressable_shards[0].data.size / p.size]
print(json.dumps(spread))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model_type", "overrides"),
    [
        ("llama", dict(num_attention_heads=8, num_key_value_heads=4, hidden_size=64)),
        ("qwen2", dict(num_attention_heads=8, num_key_value_heads=2, hidden_size=64)),
        ("mixtral", dict(num_local_experts=3, num_attention_heads=4, hidden_size=64)),
    ],
)
def test_eight_devices_give_the_answer_of_one(tmp_path, model_type, overrides):
    """2 x 4 devices: rows over data, heads and MLP columns over model."""
    save_tiny(tmp_path / "m", model_type, **overrides)
    flags = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
    done = subprocess.run(
        [sys.executable, "-c", MESHED, str(tmp_path / "m"), str(tmp_path / "out.npz")],
        env=os.environ | {"XLA_FLAGS": flags, "PERSONASCAN_CACHE": str(tmp_path / "cache")},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    spread = json.loads(done.stdout)
    assert all(devices == 8 for devices, _ in spread.values())
    assert spread["blocks/q"][1] == spread["blocks/down"][1] == spread["blocks/o"][1] == 0.25
    assert spread["blocks/attn_norm"][1] == 1
    # Two key heads do not divide by four devices: they are kept whole.
    assert spread["blocks/k"][1] == (0.25 if model_type == "llama" else 1)
    found = np.load(tmp_path / "out.npz")
    for name in found.files:
        kind, _, rest = name.partition("/")
        if kind != "single":
            one = found[f"single/{rest}"]
            error = np.linalg.norm(found[name] - one, axis=-1) / np.linalg.norm(one, axis=-1)
            assert error.max() <= 1e-5, name


def test_meshes_are_checked():
    with pytest.raises(personascan.InputError, match="of 100 x 2 devices needs 200; there are"):
        personascan.device_mesh(100, 2)
    with pytest.raises(personascan.InputError, match="mesh '2by4' is not of the form DATAxMODEL"):
        parse_mesh("2by4")
    assert parse_mesh("") is None
    assert dict(parse_mesh("1x1").shape) == {"data": 1, "model": 1}


@pytest.mark.parametrize("dtype", ["int32", "bool"])
def test_whole_numbers_are_no_weights(tmp_path, dtype):
    save_tiny_llama(tmp_path)
    name = "model.layers.0.self_attn.q_proj.weight"
    rewrite(tmp_path, lambda t: t | {name: t[name].astype(dtype)})
    with pytest.raises(personascan.InputError, match=f"q_proj.weight is of type {dtype}"):
        personascan.load_model(str(tmp_path), cache=False)


@pytest.mark.parametrize("name", ["..", "", ".", "a\0b", "x" * 5000])
def test_odd_names_in_an_index_are_refused(tmp_path, name):
    save_tiny_llama(tmp_path, shard="40KB")
    index = {"weight_map": {"model.norm.weight": name}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(personascan.InputError, match="names"):
        personascan.load_model(str(tmp_path), cache=False)


def test_a_truncated_shard_is_named(tmp_path):
    save_tiny_llama(tmp_path, shard="40KB")
    shard = sorted(tmp_path.glob("model-00003-*"))[0]
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(personascan.InputError, match=r"model-00003-.*corrupt or truncated"):
        personascan.load_model(str(tmp_path), cache=False)

"""The benchmark of a device: what it imports, what it reports, that devices share out the work."""

import json
import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest

from benchmarks import device_extraction, device_torch, numpy_scan
from benchmarks.device import Options, measure_device
from benchmarks.device_scan import Size
from benchmarks.device_shapes import SHAPES, random_model, random_work
from benchmarks.device_table import line
from personascan import InputError
from personascan.models.config import DecoderConfig, Rope
from personascan.models.families import read_config

ROOT = pathlib.Path(__file__).parents[1]
TINY = DecoderConfig(
    vocab_size=96, layers=2, width=32, heads=4, kv_heads=2, head_dim=8, mlp_width=48,
    max_positions=128, ropes=(Rope(dim=8, theta=1e4, original_positions=128),),
    rope_of_layer=(0, 0),
)  # fmt: skip
SMALL = Size(nodes=32, runs=4, places=2, rows=600)
SCANS = (("signed", 2),)
OF_HUB = {
    "smollm2": dict(
        vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30,
        num_attention_heads=9, num_key_value_heads=3, max_position_embeddings=8192,
        rope_theta=100000, tie_word_embeddings=True,
    ),
    "llama-1b": dict(
        vocab_size=128256, hidden_size=2048, intermediate_size=8192, num_hidden_layers=16,
        num_attention_heads=32, num_key_value_heads=8, max_position_embeddings=131072,
        head_dim=64, rope_theta=500000.0, tie_word_embeddings=True,
        rope_scaling=dict(
            factor=32.0, high_freq_factor=4.0, low_freq_factor=1.0, rope_type="llama3",
            original_max_position_embeddings=8192,
        ),
    ),
    "llama-8b": dict(
        vocab_size=128256, hidden_size=4096, intermediate_size=14336, num_hidden_layers=32,
        num_attention_heads=32, num_key_value_heads=8, max_position_embeddings=8192,
        rope_theta=500000.0, tie_word_embeddings=False,
    ),
}  # fmt: skip


def options(**changed):
    return Options(
        **{
            "shapes": ("tiny",), "minutes": 5.0, "size": SMALL, "configs": {"tiny": TINY},
            "matrix_rows": 64, "scans": SCANS,
        } | changed
    )  # fmt: skip


@pytest.fixture(scope="module")
def report():
    """A whole run on tiny sizes, calibrated with the fewest permutations."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device_extraction, "HOST_SECONDS", 0.0)  # the fewest tokens
        patch.setattr("benchmarks.device_scan.MOST", 9)
        steps = list(measure_device(options()))
    assert all(line(part, record) for part, record, _ in steps)
    return json.loads(json.dumps(steps[-1][2]))


@pytest.mark.slow
def test_every_part_is_measured(report):
    assert report["skipped"] == report["failed"] == []
    assert [p["dtype"] for p in report["products"]] == ["bfloat16", "float32"]
    ours = [r for r in report["extraction"] if "beside" not in r]
    assert [r["dtype"] for r in ours] == ["bfloat16", "float32"]
    for r in ours:
        assert r["tokens_per_second"] > 0
        assert r["torch_tokens_per_second"] > 0
        assert 0 < r["tokens"] <= r["padded_tokens"]
    assert [(r["tail"], r["starts"]) for r in report["scan"]] == list(SCANS)
    (calibration,) = report["calibration"]
    assert calibration["permutations"] == 9
    (labelled,) = report["labelled"]
    assert labelled["microseconds_per_labelling_and_place"] > 0
    assert report["transfer"][0]["bytes"] == 600 * 32 * 4
    assert report["machine"]["platform"] == "cpu"


def test_what_does_not_fit_the_budget_is_named():
    *_, (_, _, found) = measure_device(options(minutes=1e-3))
    assert len(found["products"]) == 2
    assert not found["extraction"]
    assert not found["scan"]
    assert len(found["skipped"]) == 4 + 2 + 1 + 1
    assert all("would take about" in s["reason"] for s in found["skipped"])


def test_a_step_that_fails_leaves_the_others(monkeypatch):
    def broken(*_):
        raise ValueError("no such\nthing")

    monkeypatch.setattr("benchmarks.device.measure_transfer", broken)
    steps = list(measure_device(options(parts=("scan",), scans=())))
    (failed,) = steps[-1][2]["failed"]
    assert failed == {"part": "transfer", "what": "a place", "reason": "ValueError: no such thing"}
    assert line("failed", failed).startswith("failed ")


def test_a_shape_that_memory_cannot_hold_is_named(monkeypatch):
    monkeypatch.setattr(device_extraction, "free_bytes", lambda: 1024)
    *_, (_, _, found) = measure_device(options(parts=("extraction",)))
    reasons = [s["reason"] for s in found["skipped"]]
    assert len(reasons) == 4
    assert "of memory, 1.0 KiB are free" in reasons[0]
    assert "none of ours" in reasons[1]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (dict(shapes=("gpt",)), "shapes: 'gpt' is unknown; known: tiny"),
        (dict(parts=("scans",)), "parts: 'scans' is unknown"),
        (dict(parts=()), "parts is empty"),
        (dict(minutes=0.0), "minutes = 0.0"),
    ],
)
def test_mistakes_are_refused(changed, message):
    with pytest.raises(InputError, match=message):
        options(**changed)


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_are_those_of_the_published_configurations(shape):
    raw = OF_HUB[shape] | dict(model_type="llama", rms_norm_eps=1e-5, hidden_act="silu")
    assert SHAPES[shape] == read_config(raw, shape)


@pytest.mark.slow
def test_random_parameters_run_as_torch_runs_them():
    """The same numbers in both: then both figures are of the same work."""
    import torch

    model = random_model(TINY, "float32")
    theirs = device_torch.random_llama(TINY, "float32", "cpu")
    blocks = model.params["blocks"]
    ours_of = {
        "self_attn.q_proj": "q", "self_attn.k_proj": "k", "self_attn.v_proj": "v",
        "mlp.gate_proj": "gate", "mlp.up_proj": "up", "mlp.down_proj": "down",
    }  # fmt: skip
    with torch.no_grad():
        theirs.embed_tokens.weight.copy_(torch.tensor(np.array(model.params["embedding"])))
        for number, block in enumerate(theirs.layers):
            for name, ours in ours_of.items():
                weight = np.array(blocks[ours][number]).reshape(blocks[ours].shape[1], -1)
                block.get_submodule(name).weight.copy_(torch.tensor(weight.T))
            out = np.array(blocks["o"][number]).reshape(-1, TINY.width)
            block.self_attn.o_proj.weight.copy_(torch.tensor(out.T))
    work = random_work(TINY.vocab_size, 400, 256)
    assert len(work.batches) > 1
    expected = device_torch.one_pass(theirs, work.batches, "cpu")
    found = device_extraction.run(model, work.batches, work.prompts, ("resid_post",), ("last",))
    for (batch, kept), states in zip(found, expected, strict=True):
        # Torch has the last block's output behind the final norm.
        np.testing.assert_allclose(
            kept["resid_post"][:-1, :, 0], states[:-1, : batch.real], rtol=1e-4, atol=1e-6
        )


def test_the_plain_signed_scan_is_the_scan_of_both_tails():
    rng = np.random.default_rng(0)
    background, evaluation = rng.normal(size=(20, 5)), rng.normal(size=(7, 5))
    found = numpy_scan.signed_p_values(background, evaluation)
    above = (background[None] >= evaluation[:, None]).sum(1)
    np.testing.assert_array_equal(found, np.concatenate([above + 1, 21 - above], axis=1))


PLAIN = """
import importlib.abc, sys
blocked = set(sys.argv.pop(1).split(","))
class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in blocked:
            raise ModuleNotFoundError(f"{name} is not here", name=name)
sys.meta_path.insert(0, Blocked())
import json
import benchmarks.device as device
from benchmarks import device_scan, device_extraction
from personascan.models.config import DecoderConfig, Rope
device_extraction.HOST_SECONDS = 0.0
config = eval(sys.argv[1])
size = device_scan.Size(nodes=32, runs=4, places=2)
options = device.Options(("tiny",), minutes=9, size=size, configs={"tiny": config},
                         matrix_rows=64, scans=(("signed", 2),), parts=("extraction", "scan"))
*_, (_, _, report) = device.measure_device(options)
print(json.dumps(report))
"""
NOT_ON_A_BARE_MACHINE = (
    "gguf", "ml_collections", "transformers", "sentencepiece", "matplotlib", "torch", "orbax",
    "sklearn", "scipy", "tokenizers", "safetensors", "huggingface_hub", "psutil", "joblib",
    "jinja2", "threadpoolctl", "filelock", "tqdm", "google", "optax", "tensorstore", "etils",
    "accelerate",
)  # fmt: skip


def plain_report(**environment) -> dict:
    """The report of a process that has jax, flax and numpy alone."""
    done = subprocess.run(
        [sys.executable, "-c", PLAIN, ",".join(NOT_ON_A_BARE_MACHINE), repr(TINY)],
        capture_output=True, text=True, env=os.environ | environment, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_jax_flax_and_numpy_are_enough_and_four_devices_find_the_same(report):
    """The two promises in one process: each takes seconds to start."""
    found = plain_report(XLA_FLAGS="--xla_force_host_platform_device_count=4")
    assert [s["reason"] for s in found["skipped"]] == ["torch is not installed"] * 2
    assert found["machine"]["local_devices"] == 4
    assert {r["devices"] for r in found["extraction"]} == {4}
    scores = [[r["scores_sha256"] for r in one["scan"]] for one in (found, report)]
    assert scores[0] == scores[1]


@pytest.mark.slow
def test_the_script_lists_what_it_skips(tmp_path):
    done = subprocess.run(
        [sys.executable, f"{ROOT}/scripts/benchmark_device.py", "--minutes=0.001",
         "--shapes=smollm2", f"--out={tmp_path}/found.json"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert len(done.stdout.splitlines()) == len(found["products"]) + len(found["skipped"])
    assert found["machine"]["jax_version"] == jax.__version__

"""What work needs is known, and refused, before it starts."""

import numpy as np
import pytest
from tiny_models import save_tiny_llama

import personascan
from personascan import memory

STATEMENTS = [
    personascan.Statement(f"s{i}", "I like walks", "p", "", True, 1.0, "") for i in range(9)
]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_tiny_llama(folder)
    return personascan.load_model(str(folder), cache=False)


def test_extraction_says_what_it_needs_and_refuses_what_does_not_fit(model, monkeypatch, capsys):
    personascan.extract(model, STATEMENTS)
    assert "extraction needs about" in capsys.readouterr().err
    monkeypatch.setattr(memory, "free_bytes", lambda: 10_000)
    refusal = r"extraction needs about .* but 9\.8 KiB are free; use batch_tokens below \d+"
    with pytest.raises(personascan.InputError, match=refusal):
        personascan.extract(model, STATEMENTS, progress=False)


def test_a_model_that_does_not_fit_is_refused_before_it_is_read(model, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 10_000)
    with pytest.raises(personascan.InputError, match=r"the model needs about .*bfloat16"):
        personascan.load_model(str(model.path), cache=False)


@pytest.mark.parametrize("error", [MemoryError("x"), "RESOURCE_EXHAUSTED: out of memory"])
def test_memory_that_runs_out_all_the_same_names_batch_tokens(model, monkeypatch, error):
    import jax

    from personascan.sources.language import extract

    if isinstance(error, str):
        error = jax.errors.JaxRuntimeError(error)

    def out_of_memory(*_):
        raise error

    monkeypatch.setattr(extract, "run", out_of_memory)
    with pytest.raises(personascan.InputError, match=r"memory ran out .*use batch_tokens below"):
        personascan.extract(model, STATEMENTS, progress=False)


@pytest.mark.slow
def test_what_a_calibration_needs_grows_with_it_and_covers_each_of_its_scans(monkeypatch):
    from personascan.calibration.calibrate import calibration_bytes
    from personascan.scan import runs
    from personascan.scan.options import ScanOptions

    seen = []
    samples = personascan.SampleOptions(10, 5, 5, 6)
    monkeypatch.setattr(runs, "refuse_too_large", lambda needed: seen.append(needed.total))
    layers = np.random.default_rng(0).normal(size=(2, 40, 30))
    labels = np.arange(40) >= 20
    personascan.calibrate(layers, labels, samples, nodes=0, permutations=4, runs=3, starts=2)
    needed = calibration_bytes((40, 30), samples, 4, 3, ScanOptions(starts=2))
    assert max(seen) <= needed <= 1.5 * max(seen)
    assert calibration_bytes((40, 30), samples, 400, 3, ScanOptions(starts=2)) > 2 * needed


def test_a_groups_limit_counts_and_copies_of_files_do_not(tmp_path):
    (tmp_path / "memory.max").write_text("1000")
    (tmp_path / "memory.current").write_text("900")
    (tmp_path / "memory.stat").write_text("anon 100\ninactive_file 300\n")
    assert memory.group_free(tmp_path, "memory.max", "memory.current") == 400
    assert memory.free_bytes() > 0

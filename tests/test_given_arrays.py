"""Arrays as callers give them: a result, or one line that names the argument."""

import numpy as np
import pytest
import torch

import personascan
from personascan import calibrate, group_scan, scan_runs, write_rows

X, POSITIVE = np.random.default_rng(0).normal(size=(10, 4)), np.arange(10) > 4
MASKED = np.ma.masked_equal(np.where(np.eye(10, 4, dtype=bool), -999.0, 1.0), -999.0)
RUNS = POSITIVE[None], ~POSITIVE[None]
SAMPLES = personascan.SampleOptions(background=2, clean=1, positive=1, runs=2)
RAGGED = [[1], [2, 3]]
FAULTS = {
    "the pool must be": [lambda value: scan_runs(value, *RUNS), (None, 3.0)],
    "the pool must be.*": [lambda value: calibrate(value, POSITIVE, SAMPLES), (None, 3.0)],
    "place a of the pool": [
        lambda value: calibrate({"a": value}, POSITIVE, SAMPLES),
        (None, 3.0, RAGGED, MASKED, X[None]),
    ],
    "layer a of the pool": [
        lambda value: scan_runs({"a": value}, *RUNS), (None, 3.0, RAGGED, MASKED, X[None]),
    ],
    "the background mask": [lambda value: scan_runs(X, value, RUNS[1]), (None, 3.0, RAGGED)],
    "positive_N": [lambda value: calibrate(X, value, SAMPLES), (None, 3.0, "no", RAGGED)],
    "alphas": [lambda value: group_scan(X, X, alphas=value), (RAGGED, ["a"])],
    "'a'": [lambda value: write_rows("out", {"a": value}, POSITIVE), (None, 3.0, RAGGED, MASKED)],
    "places must map": [lambda value: write_rows("out", value, POSITIVE), ([("a", X)], None)],
    "positive": [lambda value: write_rows("out", {"a": X}, value), (None, RAGGED)],
    "groups must be": [lambda value: write_rows("out", {"a": X}, POSITIVE, groups=value), (None,)],
    "no path of a file": [lambda value: write_rows(value, {"a": X}, POSITIVE), (None, 3)],
}  # fmt: skip


@pytest.mark.parametrize("match", FAULTS)
def test_what_is_no_array_is_named(match, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call, values = FAULTS[match]
    for value in values:
        with pytest.raises(personascan.InputError, match=match):
            call(value)
    assert not list(tmp_path.iterdir())


def test_tensors_that_require_gradients_are_taken_as_their_values(tmp_path):
    rows = torch.tensor(X, dtype=torch.float32, requires_grad=True)
    personascan.write_rows(tmp_path / "rows", {"a": rows}, POSITIVE)
    np.testing.assert_array_equal(np.load(tmp_path / "rows/0.npy"), X.astype(np.float32))

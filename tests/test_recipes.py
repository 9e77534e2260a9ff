"""The recipe of an own network: what docs/any_network.md shows is what runs."""

import importlib.util
import pathlib

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

import personascan
from personascan.scan.pvalues import as_matrix
from personascan.study.config import StudyConfig

ROOT = pathlib.Path(__file__).parents[1]


def recipe_of(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_shows_the_recipe_of_an_own_network():
    code = (ROOT / "configs/own_network.py").read_text()
    assert f"```python\n{code}```\n" in (ROOT / "docs/any_network.md").read_text()
    assert len(code.splitlines()) <= 30
    assert "--config=configs/own_network.py" in code


@pytest.fixture
def one_thread():
    """Matrices of a few kB: several threads of torch would wait for one another."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_an_own_network_s_rows_are_ready_to_scan(tmp_path, monkeypatch):
    from personascan.sources.arrays import open_rows

    monkeypatch.chdir(tmp_path)
    recipe = recipe_of(ROOT / "configs/own_network.py")
    config = StudyConfig.from_dict(recipe.get_config().to_dict())
    assert config.out == "out/own_network"
    source = open_rows(config.rows[0])
    assert [place.name for place in source.places] == [f"layer {i}" for i in range(5)]
    assert [source.widths[place] for place in source.places] == [96, 96, 48, 48, 10]
    assert sum(e.positive for e in source.groups["blurred"]) == 297
    again = open_rows(recipe.get_config().rows[0])
    assert again.files == source.files  # or no study of them could go on


def test_rows_of_every_float_and_of_torch_are_kept_as_float32(tmp_path):
    """Tensors may want gradients, or be of a type that NumPy has not."""
    torch = pytest.importorskip("torch")
    exact = np.random.default_rng(0).normal(size=(6, 3)).astype(ml_dtypes.bfloat16)
    values = exact.astype(np.float32)
    given = {
        "numpy": exact,
        "jax": jnp.asarray(exact),
        "torch": torch.tensor(values).bfloat16(),
        "with gradients": torch.tensor(values, requires_grad=True),
        "double": values.astype(np.float64),
    }
    folder = personascan.write_rows(tmp_path / "rows", given, np.arange(6) < 3)
    for number, (name, array) in enumerate(given.items()):
        kept = np.load(pathlib.Path(folder) / f"{number}.npy")
        assert kept.dtype == np.float32
        np.testing.assert_array_equal(kept, values)
        np.testing.assert_array_equal(as_matrix(name, array), values)  # as scans take them

"""Samples of a study: smaller than the defaults where rows are few, refused if they are named."""

import json
import re

import numpy as np
import pytest
from in_process import run_here
from tiny_studies import recipe, write_statements

import personascan
from personascan.scan.samples import SampleOptions
from personascan.study import folder, opening
from personascan.study.config import StudyConfig
from personascan.study.sample_sizes import with_sizes


def few(place, rows=24, **changes):
    """A study of two places with so many rows of each side, whose recipe leaves the sizes out."""
    values = np.random.default_rng(0).normal(size=(2 * rows, 3))
    positive = np.arange(2 * rows) < rows
    path = personascan.write_rows(place / "rows", {"a": values, "b": values + 1}, positive)
    config = {
        "rows": (path,), "out": str(place / "out"),
        "separation": {"components": 2, "hull_components": 2, "folds": 2},
    } | changes  # fmt: skip
    return StudyConfig.from_dict(config)


@pytest.mark.parametrize(("rows", "unit"), [(24, 6), (79, 19), (80, 20), (200, 20), (8, 2)])
def test_default_samples_shrink_to_what_the_rows_have(tmp_path, capsys, rows, unit):
    """To three quarters and one quarter of the H0 rows, which a half can give as well."""
    opened = opening.open_study(few(tmp_path, rows))
    assert opened.config.runs == SampleOptions(3 * unit, unit, unit, runs=100)
    said = capsys.readouterr().err
    assert (f"smaller ones: background {3 * unit}, clean {unit}" in said) == (unit < 20)
    assert ("fitted" in opened.provenance) == (unit < 20)
    halved = opened.config.localisation().halved().samples
    for samples, side in ((opened.config.runs, rows), (halved, rows // 2)):
        assert samples.background + samples.clean <= side
        assert 0 < samples.positive < side


def test_sizes_that_a_recipe_names_are_refused_with_flags_that_fit(tmp_path):
    config = few(tmp_path, runs={"background": 61, "clean": 20, "positive": 20})
    with pytest.raises(personascan.InputError, match=r"the 24 H0 rows cannot give 61") as caught:
        opening.open_study(config)
    line = str(caught.value)
    assert "config.runs.background rows of H0, which say what to expect" in line
    flags = re.findall(r"--config\.runs\.(\w+)=(\d+)", line)
    sizes = {name: int(size) for name, size in flags}
    assert sizes == {"background": 18, "clean": 6, "positive": 6}
    assert opening.open_study(few(tmp_path / "again", runs=sizes)).config.runs.background == 18


def test_rows_that_are_too_few_for_any_sizes_are_refused(tmp_path):
    with pytest.raises(personascan.InputError, match="no sizes fit, so add rows: 10 of each side"):
        opening.open_study(few(tmp_path, 6))
    with pytest.raises(personascan.InputError, match=r"lower --config\.separation\.folds"):
        opening.open_study(few(tmp_path / "other", separation={"folds": 30}))


def test_the_folder_knows_the_study_by_both_sizes(tmp_path):
    """By the defaults that its recipe has, and by the sizes that were used."""
    config = few(tmp_path)
    opened = opening.open_study(config)
    record = {"config": opened.config.to_dict(), **opened.provenance}
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / folder.RECORD).write_text(json.dumps(record))
    inputs = opened.provenance["sha256"]
    assert folder.differing_fields(config, inputs) == []
    assert folder.differing_fields(opened.config, inputs) == []
    assert folder.differing_fields(with_sizes(config, 5), inputs) == [
        "runs.background", "runs.clean", "runs.positive",
    ]  # fmt: skip


@pytest.mark.slow
def test_a_study_needs_no_recipe(made, tmp_path):
    """The same places as of a recipe with the defaults; other fields are flags."""
    write_statements(tmp_path / "statements", personas=("calm",), count=12)
    out = tmp_path / "out"
    flags = [
        f"--statements={tmp_path / 'statements'}", f"--model={made / 'model'}", f"--out={out}",
        "--config.where.permutations=39", "--config.where.fold_permutations=19", "--jobs=1",
        "--config.separation.seeds=2", "--config.runs.runs=6", "--config.scan.starts=3",
        "--config.sites=('resid_post',)", "--config.tokens.promoted=0",
    ]  # fmt: skip
    done = run_here("study.py", *flags)
    assert done.returncode == 0, done.stderr
    assert "calm" in done.stdout
    record = json.loads((out / folder.RECORD).read_text())
    assert record["config"]["models"] == [str(made / "model")]
    assert record["config"]["runs"]["background"] == 9
    assert record["fitted"]["asked"]["runs"]["background"] == 60
    layers = json.loads((made / "model/config.json").read_text())["num_hidden_layers"]
    assert len((out / "places.csv").read_text().splitlines()) == 1 + layers


def test_a_source_is_named_whole_or_by_a_recipe(tmp_path):
    done = run_here("study.py", "--statements=mine.csv")
    assert done.returncode == 2
    assert done.stderr == "error: without --config, give --model and --out as well; see --help\n"
    done = run_here("study.py", f"--statements={tmp_path}/none.csv", "--model=m", "--out=o")
    assert "none.csv' do not exist" in done.stderr
    mine = f"--statements={tmp_path}/none.csv", f"--config.out={tmp_path}/out"
    done = run_here("study.py", "--config=configs/demo.py", *mine)
    assert "none.csv' do not exist" in done.stderr


def test_default_sizes_in_a_recipe_are_no_other_study(place):
    """A study of enough rows keeps the sizes that it names."""
    config = StudyConfig.from_dict(recipe(place))
    assert opening.open_study(config).config == config

"""The tables of a study as data frames and Parquet files, and studies of several parts."""

import csv
import pathlib
from types import SimpleNamespace

import numpy as np
import pytest
from tiny_models import save_tiny_llama
from tiny_pages import page_words
from tiny_studies import recipe, run_study

import personascan
from personascan.places import Place
from personascan.report.summary import summary_table
from personascan.study import frames
from personascan.study.frames import TABLES


@pytest.fixture(scope="module")
def several(place):
    """Two models at two levels, in Parquet tables."""
    save_tiny_llama(place / "other", rope_theta=77.0)
    models = (str(place / "model"), str(place / "other"))
    config = recipe(
        place, out="several", models=models, levels=(2, 1), tables="parquet",
        scan={"places": ("chosen", "final_norm")},
    )  # fmt: skip
    return run_study(config)


def csv_rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


OF_OTHERS = (
    "heads", "tails", "transfer", "differences", "interventions", "specificity", "written",
    "recipes", "controls", "answers", "judged", "judgements", "sweep",
)  # fmt: skip


def test_a_frame_holds_what_the_table_says(study):
    for name in TABLES:
        if name in OF_OTHERS:
            continue
        frame = study.frame(name)
        rows = csv_rows(pathlib.Path(study.config.out) / f"{name}.csv")
        assert len(frame) == len(rows)
        assert list(frame.columns) == list(rows[0])
    places = study.frame("layers")
    assert places.equals(study.frame("places"))
    calm = places[places.comparison == "calm"]
    expected = [study.part.separation["calm"][p].mean["probe_auroc"] for p in study.part.places]
    np.testing.assert_array_equal(calm.probe_auroc_mean, expected)
    assert set(places.model) == {study.config.models[0]}
    assert set(places.level) == {2}
    with pytest.raises(personascan.InputError, match="'rows' is no table of a study; use one of"):
        study.frame("rows")


def test_large_tables_are_parquet_files(several):
    import pandas

    out = pathlib.Path(several.config.out)
    assert not (out / "runs.csv").exists()
    for name in ("runs", "nodes"):
        read = pandas.read_parquet(out / f"{name}.parquet")
        pandas.testing.assert_frame_equal(read, several.frame(name))


def test_texts_and_numbers_of_one_column_are_texts(tmp_path, monkeypatch):
    """As positions are: those of one study may be "last" and -2, and Parquet takes no such column.

    Heads are numbers: there is none where the site has none.
    """
    import pandas

    rows = [("head_out", -2, 3, 0.5), ("resid_post", "last", np.nan, np.nan)]
    table = frames.Table(("site", "position", "head", "q"), lambda part: iter(rows))
    monkeypatch.setitem(TABLES, "nodes", table)
    made = frames.frame(SimpleNamespace(parts=[SimpleNamespace(model="m", level=2)]), "nodes")
    made.to_parquet(tmp_path / "nodes.parquet", index=False)
    read = pandas.read_parquet(tmp_path / "nodes.parquet")
    pandas.testing.assert_frame_equal(read, made)
    assert read.position.tolist() == ["-2", "last"]
    assert read["head"][0] == 3
    assert read["head"].isna().tolist() == read.q.isna().tolist() == [False, True]


def test_no_head_is_no_number():
    part = SimpleNamespace(head_width=2)
    scan = SimpleNamespace(
        place=Place("resid_post", 0, "last"), q_C=np.ones(4), p_C=np.ones(4), halves=1, mixture="",
        choice=None, frequency_TC=np.zeros((1, 4)), set_TC=np.zeros((1, 4), bool),
        directions_C=np.zeros(4), tested=None,
    )  # fmt: skip
    columns = TABLES["nodes"].columns
    for site, heads in (("resid_post", [np.nan] * 4), ("head_out", [0, 0, 1, 1])):
        scan.place = Place(site, 0, "last")
        part.scans = {"p": [scan]}
        rows = [dict(zip(columns, row, strict=True)) for row in TABLES["nodes"].rows(part)]
        np.testing.assert_array_equal([row["head"] for row in rows], heads)


def test_models_and_levels_are_parts_of_one_study(several, study, place):
    assert [(p.model.rsplit("/")[-1], p.level) for p in several.parts] == [
        ("model", 2), ("model", 1), ("other", 2), ("other", 1),
    ]  # fmt: skip
    out = pathlib.Path(several.config.out)
    page = (out / "report.md").read_text()
    for number, part in enumerate(several.parts):
        assert f"(figures/map-{number}.png)" in page
        against = {2: "its own negatives", 1: "its topic's others"}[part.level]
        assert part.title == f"{part.model}, each against {against}"
        assert f"in `{part.model}`: each against {against}" in page_words(out)
        assert "level" not in page_words(out).split("## ")[0]
    findings = several.frame("findings")
    assert len(findings) == 2 * 2 * 2
    # The first part is the study of that model at that level alone.
    alone = study.part.calibrations["calm"]
    np.testing.assert_array_equal(several.parts[0].calibrations["calm"].z_PT, alone.z_PT)
    assert not np.array_equal(several.parts[2].calibrations["calm"].z, alone.z)
    assert {i[:2] for i in several.parts[1].pool_ids["calm"]} == {"0-", "1-"}
    assert summary_table(several).count("furthest place") == 4

"""Activations of any network as the source of a study: written, refused, scanned."""

import csv
import pathlib

import numpy as np
import pandas
import pytest
from tiny_pages import page_words
from tiny_studies import files_of

import personascan
from personascan.places import Place, named_place
from personascan.sources.arrays import open_rows
from personascan.study.case import named_places
from personascan.study.config import StudyConfig

ROWS = 90
POSITIVE = np.arange(ROWS) >= 50
GROUPS = np.where(POSITIVE, np.where(np.arange(ROWS) < 70, "blurred", "noised"), "clean")


def layers():
    """Noised rows differ in the second layer, blurred ones nowhere."""
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(ROWS, 4, 3, 2)), rng.normal(size=(ROWS, 24))
    second[GROUPS == "noised", :8] += 2.5
    return {"conv": first, "dense": second}


def written(out, **changes):
    asked = {"groups": GROUPS, "network": "resnet", "rows": "images", "places": layers()}
    return personascan.write_rows(out, positive=POSITIVE, **asked | changes)


RECIPE = {
    "separation": {"seeds": 1, "folds": 3},
    "runs": {"background": 10, "clean": 4, "positive": 4, "runs": 6},
    "scan": {
        "places": ("chosen", "dense"),
        "starts": "3",
    },
    "where": {"permutations": 99},
    "detection": {"splits": 2},
    "transfer": True,
}
MORE = {  # what takes programs of its own
    "scan": RECIPE["scan"] | {
        "permutations": 19, "statistic_runs": 2, "tails": ("right", "either"),
        "mixtures": ({"share": 0.125, "alpha_max": 0.2},),
    },
    "detection": {"splits": 2, "tails": ("left", "either"), "conditional": True},
}  # fmt: skip


def run(place, recipe):
    kinds = np.where(np.arange(ROWS) % 2, "odd", "even")
    folder = written(place / "rows", conditions=kinds)
    return personascan.run_study(recipe | {"rows": (folder,), "out": str(place / "out")}, jobs=1)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return run(tmp_path_factory.mktemp("arrays"), RECIPE)


@pytest.fixture(scope="module")
def every_way(tmp_path_factory):
    """Other tails, other shares of H1, within conditions."""
    return run(tmp_path_factory.mktemp("every_way"), RECIPE | MORE)


def table(study, name):
    with (pathlib.Path(study.config.out) / name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_what_differs_is_found_where_it_differs(study):
    found = {f.name: f for f in study.part.findings()}
    assert list(found) == ["blurred", "noised"]
    assert (str(found["noised"].place), found["noised"].found) == ("dense", True)
    assert not found["blurred"].found
    nodes = [row for row in table(study, "nodes.csv")
             if row["comparison"] == "noised" and row["in_set"] == "1"
             and row["statements_scanned"] == "all"]  # fmt: skip
    assert {(int(row["node"]) < 8, row["direction"]) for row in nodes} == {(True, "high")}
    assert {row["site"] for row in nodes} == {"dense"}


@pytest.mark.slow
def test_every_way_of_scanning_rows_alone_has_a_line(every_way):
    rows = table(every_way, "detection.csv")
    tails = ["signed", "left", "either"]
    ways = tails + [f"{tail}, within conditions" for tail in tails]
    assert {(row["comparison"], row["tail"], row["site"]) for row in rows} == {
        (name, way, site) for name in ("blurred", "noised") for way in ways
        for site in ("conv", "dense")
    }  # fmt: skip
    for row in rows:
        low, auroc, high = (float(row[f"auroc{end}"]) for end in ("_low", "", "_high"))
        assert low <= auroc <= high
        assert (row["background"], row["h0"]) == ("25", "25")
    at = {(row["tail"], row["site"]): float(row["auroc"]) for row in rows
          if row["comparison"] == "noised"}  # fmt: skip
    assert at["signed", "dense"] > 0.9 > at["left", "dense"]


@pytest.mark.slow
def test_tails_share_the_permutations(every_way):
    """ "either" is the higher of both, run by run, and so is its mean at least theirs."""
    part = every_way.part
    assert list(part.tails["noised"]) == ["signed", "right", "either"]
    _, right, either = part.tails["noised"].values()
    assert (either.statistic_PT >= right.statistic_PT - 1e-9).all()
    assert (either.statistic_PT > right.statistic_PT + 1e-9).any()
    assert right.p_family.min() <= 0.05
    rows = [r for r in table(every_way, "tails.csv") if r["comparison"] == "noised"]
    assert [r["tail"] for r in rows] == ["signed"] * 2 + ["right"] * 2 + ["either"] * 2


@pytest.mark.slow
def test_another_share_of_h1_is_scanned_at_the_named_place(every_way):
    plain, mixed = (s for s in every_way.part.scans["noised"] if s.choice is None)
    assert (plain.mixture, mixed.mixture) == ("", "12% H1, alpha up to 0.2")
    assert (plain.chance, mixed.chance) == (0.5, 0.125)
    evaluation = 8
    assert mixed.recall_R.max() in (0.0, 1.0)  # one row of eight is from H1
    assert (mixed.runs.rows[0].sum(1) <= evaluation).all()
    assert np.nanmax(mixed.runs.alpha) <= 0.2


def test_the_page_speaks_of_its_rows(study):
    page = page_words(study.config.out)
    assert page.startswith("# blurred and noised in `resnet`\n")
    for wrong in ("statement", "persona", "wording", "nan"):
        assert wrong not in page.replace("personascan", "")
    for heading in ("## Which images diverge, by the published scan",
                    "## A probe trained on the other comparisons"):  # fmt: skip
        assert heading in page


@pytest.mark.slow
def test_the_page_speaks_of_every_way(every_way):
    page = page_words(every_way.config.out)
    assert "nan" not in page.replace("personascan", "")
    for heading in ("## By the scan's own score", "## Images scanned alone"):
        assert heading in page


def test_probes_are_trained_on_other_comparisons_alone(study):
    rows = {(r["comparison"], r["site"]): r for r in table(study, "transfer.csv")}
    # 20 rows of the other group, and half of the 50 clean ones, which both comparisons have.
    assert {int(r["trained_on"]) for r in rows.values()} == {45}
    assert len(rows) == 4


def test_the_same_rows_are_the_same_study(study, tmp_path):
    before = files_of(pathlib.Path(study.config.out))
    folder = pathlib.Path(study.config.rows[0])
    times = {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}
    kinds = np.where(np.arange(ROWS) % 2, "odd", "even")
    written(folder, conditions=kinds)
    assert {p.name: p.stat().st_mtime_ns for p in folder.iterdir()} == times
    personascan.run_study(study.config, jobs=1)
    assert files_of(pathlib.Path(study.config.out)) == before
    assert "conv" not in personascan.study_status(study.config).summary()
    assert "everything is done" in personascan.study_status(study.config).summary()


def test_rows_replace_only_rows(tmp_path):
    folder = written(tmp_path / "rows")
    kept = open_rows(folder).files
    assert folder == written(tmp_path / "rows", network="other")
    assert open_rows(folder).name == "other"
    assert open_rows(folder).files["0.npy"] == kept["0.npy"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(personascan.InputError, match="holds something else"):
        written(tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years"


def test_what_else_lies_beside_rows_is_not_deleted_with_them(tmp_path):
    folder = pathlib.Path(written(tmp_path / "rows"))
    (folder / "study").mkdir()
    (folder / "study" / "places.csv").write_text("a week")
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(personascan.InputError, match=r"other things besides \(notes.txt, study\)"):
        written(folder, network="other")
    assert (folder / "study" / "places.csv").read_text() == "a week"
    assert open_rows(folder).name == "resnet"


@pytest.mark.parametrize("nothing", [None, float("nan"), np.float32("nan"), pandas.NA, pandas.NaT])
def test_a_missing_entity_is_none_and_a_missing_group_is_refused(tmp_path, nothing):
    some = [nothing if i % 2 else f"e{i // 4}" for i in range(ROWS)]
    source = open_rows(written(tmp_path / "rows", entities=some))
    entities = {e.id: e.entity for examples in source.groups.values() for e in examples}
    assert entities == {str(i): "" if i % 2 else f"e{i // 4}" for i in range(ROWS)}
    for name in ("groups", "ids", "conditions"):
        with pytest.raises(personascan.InputError, match=f"{name} has no entry for row 1"):
            written(tmp_path / "others", **{name: some})
    assert not (tmp_path / "others").exists()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (1e8 + 1e-2 * np.random.default_rng(0).normal(size=(ROWS, 3)), "at 3 of 3 nodes"),
        (np.arange(ROWS)[:, None] * 1e-46 * [0, 1], "at 1 of 2 nodes, the first of them 1"),
        (2**40 + np.arange(ROWS, dtype=np.int64)[:, None], "less than float32 can hold"),
        (np.random.default_rng(0).normal(size=(ROWS, 3)), ""),
        (0.1 + 1e-17 * np.random.default_rng(0).normal(size=(ROWS, 3)), ""),
        (0.1 + np.spacing(0.1) * (np.arange(ROWS) % 3)[:, None], ""),  # rounding of float64
        (1e8 + np.arange(ROWS, dtype=float)[:, None] * 8, ""),  # what float32 has
        (np.arange(ROWS, dtype=np.uint8)[:, None], ""),
    ],
)
def test_float32_keeps_what_rows_differ_by_or_they_are_refused(tmp_path, array, message):
    if message:
        with pytest.raises(personascan.InputError, match=message):
            written(tmp_path / "rows", places={"layer": array})
        assert not (tmp_path / "rows").exists()
        return
    folder = written(tmp_path / "rows", places={"layer": array})
    np.testing.assert_array_equal(np.load(f"{folder}/0.npy"), array.astype(np.float32))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"groups": ["a"] * 3}, "groups has 3 entries for 90 labels"),
        ({"ids": ["a"] * ROWS}, "ids names a row twice"),
        ({"places": {}}, "places is empty"),
        ({"places": {"x": np.ones((3, 2))}}, r"'x' must be numbers \[90, nodes\]"),
        ({"places": {"x": np.full((ROWS, 2), np.nan)}}, "'x' holds values that are not finite"),
        ({"places": {0: np.ones((ROWS, 2)), "0": np.zeros((ROWS, 2))}}, "names '0' twice"),
        ({"places": {"x": np.ones((ROWS, 2), complex)}}, "'x' must hold real numbers"),
        ({"places": {"x": np.ma.masked_less(np.ones((ROWS, 2)), 2)}}, "'x' is a masked array"),
        ({"positive": POSITIVE.astype(int)}, "positive needs one bool for each row"),
    ],
)
def test_what_are_no_rows_is_refused(tmp_path, changes, message):
    asked = {"places": layers(), "positive": POSITIVE} | changes
    with pytest.raises(personascan.InputError, match=message):
        personascan.write_rows(tmp_path / "rows", **asked)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["conv, 3x3", "50%", "a b", "a, b", "resid_post 0, last", "0%"])
def test_a_layer_is_named_by_its_own_name_whatever_it_holds(name):
    names = ["50%", "0%", "conv, 3x3", "a, b", "a b", "resid_post 0, last"]
    places = [Place(other, i, "", "net") for i, other in enumerate(names)]
    assert named_place(name, places, len(places)).name == name


def test_a_damaged_array_is_named(tmp_path):
    folder = pathlib.Path(written(tmp_path / "rows"))
    content = bytearray((folder / "1.npy").read_bytes())
    content[-3] ^= 1
    (folder / "1.npy").write_bytes(content)
    with pytest.raises(personascan.InputError, match=r"1\.npy is missing or damaged"):
        open_rows(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "a study has one source: .* got none"),
        ({"rows": ("a",), "statements": "b"}, "got statements and rows"),
        ({"rows": ("a",), "models": ("b",)}, "rows bring their networks with them"),
        ({"models": ("b",)}, "a study has one source: .* got none"),
        ({"statements": "b"}, "config.models is empty; name what reads config.statements"),
        ({"rows": ("a", "a")}, "name each once"),
        ({"rows": ("a",), "levels": (1,)}, "rows have no topics"),
        ({"rows": ("a",), "limit": -5}, "config.limit = -5; use at least 1"),
        ({"rows": ("a",), "scan": {"places": ("x", "x")}}, "scan.places names one twice: x, x"),
        (
            {"rows": ("a",), "scan": {"mixtures": ({"share": 0.2}, {"share": 0.2})}},
            "scan.mixtures names one twice",
        ),
        ({"rows": ("a",), "baselines": ("length", "length")}, "baselines names one twice"),
        ({"rows": ("nowhere",)}, r"nowhere has no rows\.json"),
        ({"rows": ("a",), "scan": {"tails": ("signed",)}}, "and not scan.tail"),
        ({"rows": ("a",), "detection": {"tails": ("up",)}}, "tail 'up' is unknown"),
        (
            {"rows": ("a",), "scan": {"mixtures": ({"share": 0.001},)}},
            "a share of 0.001 of 40 scanned rows leaves none",
        ),
    ],
)
def test_studies_of_no_rows_are_refused(tmp_path, changes, message):
    with pytest.raises(personascan.InputError, match=message):
        personascan.run_study({"out": str(tmp_path / "out"), **changes})


def test_two_names_of_one_place_are_one(tmp_path):
    source = open_rows(written(tmp_path / "rows"))
    config = StudyConfig.from_dict(
        {"out": "o", "rows": ("r",), "scan": {"places": ("conv", " conv")}}
    )
    assert [str(place) for place in named_places(config.scan.places, source.named)] == ["conv"]

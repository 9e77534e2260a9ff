"""The report from what a study stored: sheets, documents, files, and studies side by side."""

import csv
import gzip
import json
import re
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_process import run_here
from sklearn.metrics import auc
from tiny_studies import files_of, recipe, run_study

import personascan
from personascan.report.charts.sets import SHAPES, inside_ellipse, middles
from personascan.report.document import FILE, LAYOUT, read_document
from personascan.report.files import captioned_pictures, write_folder
from personascan.report.pictures import fill_template
from personascan.report.render import CAPTIONS
from personascan.report.sheets.columns import (
    Grouped,
    Rounded,
    Sheet,
    Sheets,
    pack_column,
    unpack_column,
)


@pytest.fixture(scope="module")
def folder(study, tmp_path_factory):
    """A study's folder alone, as it is sent to somebody: no units, model or statements."""
    alone = tmp_path_factory.mktemp("sent") / "study"
    shutil.copytree(study.config.out, alone, ignore=shutil.ignore_patterns("units"))
    return alone


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


@pytest.mark.parametrize(
    "column",
    [
        np.array([0, 255]), np.array([-1, 127]), np.array([0, 40_000]), np.array([-300, 300]),
        np.array([-70_000, 70_000]), np.array([True, False]), np.array([], int),
        np.array([0.5, np.nan, -np.inf]), ["b", "a", "b"], ["\u202e<script>", ""],
    ],
)  # fmt: skip
def test_columns_come_back(column):
    found = unpack_column(json.loads(json.dumps(pack_column(column))))
    if isinstance(column, list):
        assert found == column
    else:
        np.testing.assert_array_equal(found, column.astype(found.dtype))
        assert found.dtype == float or found.dtype.itemsize <= 4


def test_a_p_of_the_level_does_not_pass_it():
    """0.05 as float32 is above 0.05."""
    p = np.array([2 / 40, 0.1, 1 / 20])
    assert (unpack_column(pack_column(p)) == p).all()
    assert (unpack_column(pack_column(Rounded(p, 1e-4))) == p).all()
    many = np.zeros(60_000)
    assert unpack_column(pack_column(many)).dtype == np.float32


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-5, 5) | st.just(float("nan")), max_size=30))
def test_rounded_columns_are_within_half_a_step(values):
    values = np.array(values, float)
    found = unpack_column(pack_column(Rounded(values, 1e-3)))
    np.testing.assert_allclose(found, values, atol=0.5e-3 + 1e-9)


def test_rows_come_in_groups_with_what_their_keys_number():
    rows = Grouped("at", "score", by="part", keys={"at": "places"})
    rows.add(np.array([1, 0]), np.array([0.5, np.nan]))
    rows.add(np.array([], int), np.array([]))
    rows.add(np.array([1]), np.array([2.0]))
    places = Sheet({"place": ["a", "b"], "score": np.array([9, 9])})
    sheets = Sheets({"rows": rows.sheet().packed(), "places": places.packed()})
    first, second = sheets.rows("rows", {"part": 0})
    assert first == {"place": "b", "at": 1, "score": 0.5}
    assert second["score"] is None
    assert sheets.rows("rows", {"part": 1}) == []
    assert len(sheets.every("rows")) == sheets.length("rows") == 3


def test_a_document_says_what_the_tables_say(study, folder):
    sheets = Sheets(read_document(folder)["sheets"])
    cells = sheets.rows("cells", {"part": 0})
    with (folder / "places.csv").open(newline="", encoding="utf-8") as file:
        rows = {(r["comparison"], r["site"], r["layer"]): r for r in csv.DictReader(file)}
    assert len(cells) == len(rows)
    for cell in cells:
        row = rows[cell["comparison"], cell["site"], cell["layer"].replace("final_norm", "0")]
        for name in ("z", "p_family", "p", "statistic"):
            assert cell[name] == pytest.approx(float(row[name]), rel=1e-5)
        assert cell["auroc"] == pytest.approx(float(row["detection_auroc"]), rel=1e-5)
    null = [row["null_z"] for row in sheets.rows("null", {"cell": 0})]
    calibration = study.part.calibrations["calm"]
    np.testing.assert_allclose(null, np.sort(calibration.z_PT[0, 1:]), atol=0.0026)


def test_the_curve_of_a_place_has_the_area_of_its_scores(study, folder):
    sheets = Sheets(read_document(folder)["sheets"])
    for number, place in enumerate(study.part.places):
        curve = sheets.rows("roc", {"cell": number})
        area = auc([row["fpr"] for row in curve], [row["tpr"] for row in curve])
        detection = study.part.detections["calm"][place]
        known = np.isfinite(detection.score_N)
        positive_N = study.part.detection_rows["calm"][0].positive_N
        above = np.subtract.outer(
            detection.score_N[known & positive_N], detection.score_N[known & ~positive_N]
        )
        expected = (above > 0).mean() + (above == 0).mean() / 2
        assert area == pytest.approx(expected, abs=2e-3)


def test_returned_rows_are_counted_over_the_runs_that_scanned_them(study, folder):
    sheets = Sheets(read_document(folder)["sheets"])
    for number, scan in enumerate(study.part.scans["calm"]):
        rows = sheets.rows("rows", {"scan": number})
        assert sum(row["returned"] for row in rows) == scan.runs.rows.sum()
        assert all(0 <= row["returned"] <= row["scanned"] <= 6 for row in rows)
        halved = 2 if scan.choice else 1
        assert sum(row["scanned"] for row in rows) == 6 * 8 // halved
        assert {row["text"][:1] for row in rows} == {"I"}


def test_the_folder_alone_gives_the_same_page(copy):
    before = files_of(copy)
    for kind in ("html", "md"):
        (copy / f"report.{kind}").unlink()
        personascan.write_report(copy, kind)
    assert files_of(copy) == before


def test_a_page_that_was_made_again_is_still_the_studys(study, place):
    out = place / "again"
    run_study(recipe(place, out="again"))
    (out / "report.html").write_text("of another version")
    personascan.write_report(out)
    run_study(recipe(place, out="again"))
    personascan.write_report(out, "md", out=str(place / "elsewhere.md"))
    assert (place / "figures/map-0.png").exists()


def test_texts_can_be_left_out(copy, tmp_path):
    path = personascan.write_report(copy, out=str(tmp_path / "ids.html"), texts=False)
    data = re.search(r'id="data">([^<]*)<', path.read_text())[1]
    import base64

    embedded = gzip.decompress(base64.b64decode(data)).decode()
    texts = json.loads(embedded)["sheets"]["texts"]["columns"]
    assert texts["text"] == texts["id"]
    assert "77777777" not in embedded
    assert "I am" not in path.read_text()


def test_figures_for_a_paper_are_as_wide_as_its_columns(copy):
    out = personascan.write_report(copy, "pdf")
    drawn = {path.name: path.read_bytes() for path in out.glob("*.pdf")}
    assert {"map.pdf", "null.pdf", "roc.pdf", "profiles.pdf"} <= set(drawn)
    captions = (out / "captions.md").read_text()
    for name, content in drawn.items():
        box = re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", content)
        millimetres = float(box[1]) / 72 * 25.4
        assert min(abs(millimetres - wide) for wide in (85, 178)) < 0.1, name
        assert b"/Font" in content  # text, not outlines or pixels
        assert f"`{name}`" in captions
    png = personascan.write_report(copy, "png", out=str(copy / "pixels"))
    assert {path.stem for path in png.glob("*.png")} == {name[:-4] for name in drawn}
    assert captioned_pictures(png / CAPTIONS) == {path.name for path in png.glob("*.png")}


def test_what_is_no_study_is_said(copy, tmp_path):
    for path, message in [
        (tmp_path / "nothing", "holds no study"),
        ("", "no study was named"),
    ]:
        with pytest.raises(personascan.InputError, match=message):
            personascan.write_report(path)
    with pytest.raises(personascan.InputError, match="format 'word' is unknown"):
        personascan.write_report(copy, "word")
    content = read_document(copy)
    content["layout"] = LAYOUT + 1
    (copy / "sha256.json").unlink()
    (copy / FILE).write_bytes(gzip.compress(json.dumps(content).encode()))
    with pytest.raises(
        personascan.InputError, match=f"is of layout {LAYOUT + 1}, this version reads {LAYOUT}"
    ):
        personascan.write_report(copy)
    (copy / FILE).write_bytes(b"\x1f\x8bdamaged")
    with pytest.raises(personascan.InputError, match="not as the study wrote it"):
        personascan.write_report(copy)
    (copy / FILE).unlink()
    with pytest.raises(personascan.InputError, match="which earlier versions did not write"):
        personascan.write_report(copy)


def test_numbers_that_were_changed_are_not_drawn(copy):
    content = read_document(copy)
    content["parts"][0]["lead"] = ["Everything was found."]
    (copy / FILE).write_bytes(gzip.compress(json.dumps(content).encode()))
    with pytest.raises(personascan.InputError, match="not as the study wrote it"):
        personascan.write_report(copy)


def test_studies_are_compared(folder, copy, tmp_path):
    page = personascan.compare_studies([folder, copy], out=str(tmp_path / "both.html")).read_text()
    assert "<h1>2 studies side by side</h1>" in page
    for folders, message in [([folder], "one study has nothing"), ([copy, copy], "named twice")]:
        with pytest.raises(personascan.InputError, match=message):
            personascan.compare_studies(folders)


def test_what_lies_where_a_report_should_go_is_not_replaced_unasked(folder, copy, tmp_path):
    mine = tmp_path / "paper"
    (mine / "figures").mkdir(parents=True)
    for name in ("notes.html", "figures/map-0.png"):
        (mine / name).write_text("mine")
    for kind, name in [("html", "notes.html"), ("md", "README.md")]:
        with pytest.raises(personascan.InputError, match=r"exists already; .*--overwrite"):
            personascan.write_report(copy, kind, out=str(mine / name))
    with pytest.raises(personascan.InputError, match="exists already"):
        personascan.compare_studies([folder, copy], out=str(mine / "notes.html"))
    assert not (mine / "README.md").exists()
    assert {(mine / n).read_text() for n in ("notes.html", "figures/map-0.png")} == {"mine"}
    personascan.write_report(copy, out=str(mine / "notes.html"), overwrite=True)
    assert (mine / "notes.html").read_text() != "mine"
    personascan.write_report(copy, out=str(copy / "report.html"))  # the study's own


def test_the_script_says_what_is_wrong_in_one_line(tmp_path):
    done = run_here("report.py", f"--study={tmp_path}")
    assert done.returncode == 1
    assert done.stderr.strip().startswith("error: ")
    assert "holds no study" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_sentences_take_their_numbers_from_a_row():
    row = {"z": 1.234, "share": 0.256, "count": 3.0, "name": "a", "none": None}
    assert (
        fill_template("{z:.1f} {share:.0%} {count:d} {name} {none:.2f}", row) == "1.2 26% 3 a none"
    )


@pytest.mark.parametrize("sets", SHAPES)
def test_a_venn_diagram_has_every_region(sets):
    found = middles(sets)
    assert len(found) == 2**sets - 1
    for members, (x, y) in found.items():
        assert tuple(i for i, s in enumerate(SHAPES[sets]) if inside_ellipse(s, x, y)) == members


def test_pictures_of_an_earlier_study_leave_with_their_captions(tmp_path):
    """What else lies in the folder is the user's and stays."""
    first = {"map.png": b"1", "1-upset.png": b"2", "captions.md": b""}
    first["captions.md"] = b"# Captions\n\n- `map.png`: Map. a\n- `1-upset.png`: Sets. b\n"
    write_folder(tmp_path / "png", first, overwrite=False)
    (tmp_path / "png" / "mine.png").write_bytes(b"mine")
    second = {"map.png": b"3", "captions.md": b"# Captions\n\n- `map.png`: Map. c\n"}
    write_folder(tmp_path / "png", second, overwrite=True)
    found = {path.name: path.read_bytes() for path in (tmp_path / "png").iterdir()}
    assert found == second | {"mine.png": b"mine"}

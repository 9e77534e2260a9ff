"""Whether interventions can tell nodes that decide from nodes that only correlate; the stage."""

import csv
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from tiny_models import save_tiny
from tiny_pages import page_words
from tiny_planted import CARRY, save_planted
from tiny_studies import files_of, recipe, run_study, write_statements

import personascan
from personascan.interventions.design import DIFFERENCE, FOUND
from personascan.interventions.steering import side_by_side
from personascan.study.config import StudyConfig
from personascan.study.effects import ANSWER, YES
from personascan.study.opening import open_study
from personascan.study.steering import background_rows

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[1]
OPTIONS = dict(
    places=("chosen",), statements=10, controls=19, ablations=("mean",), strengths=(-2.0, 2.0),
    caps=(0.5,),
)  # fmt: skip


def planted_recipe(place, **changes):
    return recipe(
        place, sites=("attn_out",), layers=(0,), positions=("last_statement",),
        scan={"places": ("chosen",), "starts": "3"}, where={"permutations": 99},
        runs={"background": 24, "clean": 8, "positive": 8, "runs": 20},
        intervention=OPTIONS, **changes,
    )  # fmt: skip


def make_even(folder):
    """Statements of one length, for which little is compiled."""
    for path in folder.glob("*.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for n, row in enumerate(rows):
            row["statement"] = f"I am {row['persona']} {n:02} {row['statement'][-8:]}"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def planted(tmp_path_factory, name, decides):
    """A study of a model with its nodes, and with a direction made elsewhere, which is theirs."""
    place = tmp_path_factory.mktemp(name)
    save_planted(place / "model", decides=decides)
    write_statements(place / "statements", personas=("calm", "bold"), count=48)
    make_even(place / "statements")
    shift_D = np.zeros(48, np.float32)
    shift_D[list(CARRY)] = 7.0
    label = personascan.Direction("label", {("attn_out", 0): shift_D})
    path = place / "label.safetensors"
    personascan.write_direction(path, label, personascan.load_model(str(place / "model")))
    config = planted_recipe(place)
    config["intervention"] = OPTIONS | {"directions": (str(path),)}
    return place, config, run_study(config)


@pytest.fixture(scope="module")
def deciding(tmp_path_factory):
    return planted(tmp_path_factory, "deciding", decides=True)


@pytest.fixture(scope="module")
def correlating(tmp_path_factory):
    return planted(tmp_path_factory, "correlating", decides=False)


def found_nodes(study):
    for name, scans in study.part.scans.items():
        for scan in scans:
            yield name, set(np.flatnonzero(scan.nodes_D).tolist())


def ablated(study):
    for found in study.part.interventions:
        (effect,) = found.of(FOUND, "ablate (mean)", ANSWER)
        yield found, effect


def test_nodes_that_decide_are_found_and_confirmed(deciding):
    """Their ablation takes the difference away, further than any of the random sets'."""
    *_, study = deciding
    assert all(set(CARRY) <= nodes for _, nodes in found_nodes(study))
    assert len(study.part.interventions) == 4  # two comparisons, two halves
    for found, effect in ablated(study):
        assert effect.unedited > 1
        assert effect.effect < -0.8 * effect.unedited
        assert effect.high < 0
        assert effect.p["random nodes"] == effect.p["nodes of like variance"] == 1 / 20
        assert found.p_family[effect.key] == 1 / 20
        down, up = found.of(FOUND, "steer", YES)  # whatever the statement
        assert (down.strength, up.strength) == (-2, 2)
        assert down.high < 0 < up.low
        (capped,) = found.of(DIFFERENCE, "cap (0.5)", ANSWER)  # H1 comes down to H0's median
        assert capped.effect < -0.8 * effect.unedited
        (capped,) = found.of(FOUND, "cap (0.5)", ANSWER)
        assert capped.high < 0
        assert capped.p["random nodes"] == capped.p["random direction"] == 1 / 20
        assert up.p["random direction"] == 1 / 20


def test_nodes_that_only_correlate_are_found_and_refuted(correlating):
    """The scan finds them as well, and their ablation changes the answers as little as chance."""
    *_, study = correlating
    assert all(set(CARRY) <= nodes for _, nodes in found_nodes(study))
    for found, effect in ablated(study):
        assert effect.unedited > 1
        assert abs(effect.effect) < 0.15 * effect.unedited
        assert effect.p["random nodes"] > 0.05
        assert found.p_family[effect.key] > 0.05


def test_the_stage_leaves_tables_pictures_and_sentences(deciding):
    place, *_ = deciding
    files = files_of(place / "out")
    html = files["report.html"].decode()
    for picture in ("effects", "doses", "specificity"):
        assert f'data-picture="{picture}"' in html
    rows = list(csv.DictReader(files["interventions.csv"].decode().splitlines()))
    found = [r for r in rows if r["method"] == FOUND and r["outcome"] == "answer"]
    assert {(r["comparison"], r["found_on_half"]) for r in found} == {
        (name, half) for name in ("calm", "bold") for half in "AB"
    }
    assert {r["action"] for r in found} == {"ablate (mean)", "steer", "cap (0.5)"}
    assert all(float(r["low"]) <= float(r["effect"]) <= float(r["high"]) for r in found)
    assert {r["method"] for r in rows} >= {
        "mean difference",
        "largest Cohen's d",
        "random direction",
    }
    crossed = list(csv.DictReader(files["specificity.csv"].decode().splitlines()))
    assert len(crossed) == 2 * 2 * 2 * 2  # judged, owner, half, action
    page = page_words(place / "out")
    assert "## Do the found nodes carry it?" in page
    assert "in 4 of 4 node sets" in page
    assert "nan" not in page.split("## Do the found nodes carry it?")[1].split("##")[0]


def test_every_tested_set_is_written_with(deciding):
    """What is written is kept, and shown unless texts are left out."""
    place, _, study = deciding
    sets = [(one.name, one.half) for one in study.part.written]
    assert sets == [(found.tested.name, found.tested.half) for found in study.part.interventions]
    for one in study.part.written:
        assert one.strengths == (0.0, -2.0, 2.0)
        assert list(one.texts) == list(study.config.intervention.written)
    with (place / "out" / "written.csv").open(newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 4 * 2 * 3
    assert "What it writes when it is pushed" in files_of(place / "out")["report.html"].decode()


def test_the_matrix_holds_a_set_to_all_statements(deciding):
    """Both comparisons have the same label, so that each one's nodes serve the other as well."""
    *_, study = deciding
    ablations = [c for c in study.part.specificity if c.action == "ablate (mean)"]
    assert all(c.effect < -3 for c in ablations)


def test_the_same_study_again_does_nothing_anew(deciding):
    place, config, _ = deciding
    units = {p: p.stat().st_mtime_ns for p in (place / "units").rglob("*") if p.is_file()}
    before = files_of(place / "out")
    run_study(config)
    assert units == {p: p.stat().st_mtime_ns for p in (place / "units").rglob("*") if p.is_file()}
    assert files_of(place / "out") == before


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            dict(places=("resid_post 1",)),
            r"intervention.places names a place that .* \('resid_post 1': config.sites = ",
        ),
        (dict(comparisons=-1), "comparisons = -1; use 0 or more"),
        (dict(directions=("none.gguf",)), "none.gguf cannot be read"),
        (dict(ablations=("median",)), "'median' is unknown"),
        (dict(strengths=(0.0, 1.0)), "strengths = .* not 0"),
        (dict(tokens="generated"), "tokens = 'generated'"),
        (dict(caps=(1.5,)), "caps = .* from 0 to 1"),
        (dict(against=("random direction",)), "against = .* use 'random nodes'"),
        (dict(statements=1), "statements of at least 2"),
    ],
)
def test_what_cannot_be_tested_is_refused(deciding, tmp_path, change, line):
    _, config, _ = deciding
    changed = config | {"intervention": OPTIONS | change, "out": str(tmp_path / "out")}
    with pytest.raises(personascan.InputError, match=line):
        open_study(StudyConfig.from_dict(changed))
    assert not (tmp_path / "out").exists()


def test_an_encoder_cannot_be_asked(tmp_path):
    save_tiny(tmp_path / "model", "bert", num_key_value_heads="drop")
    write_statements(tmp_path / "statements")
    with pytest.raises(personascan.InputError, match="predicts no next token, so interventions"):
        open_study(StudyConfig.from_dict(planted_recipe(tmp_path)))


def test_a_direction_made_elsewhere_is_tested_beside_ours(deciding):
    """Only what decides, from a file, as long as ours: it moves the answers as far or more."""
    *_, study = deciding
    for one in study.part.interventions:
        (_, label), (_, ours) = (one.of(method, "steer", YES) for method in ("label", FOUND))
        assert label.strength == ours.strength == 2
        assert label.effect > 0.99 * ours.effect > 0
        assert label.p["random direction"] == 1 / 20


def test_a_finished_study_steers(deciding, tmp_path):
    place, config, study = deciding
    units = config["units"]
    reader, direction = personascan.found_direction(place / "out", "calm", units=units)
    ((at, shift_D),) = direction.shift.items()
    assert at == ("attn_out", 0)
    assert set(np.flatnonzero(shift_D)) >= set(CARRY)
    assert (shift_D[list(CARRY)] > 0).all()
    assert direction.record["half"] == "A"
    assert direction.record["model_sha256"] == study.part.source.identified.sha256
    _, four = personascan.found_direction(place / "out", "calm", units=units, nodes=4)
    assert np.count_nonzero(four.shift[at]) == 4
    _, whole = personascan.found_direction(place / "out", "calm", units=units, kind="difference")
    assert np.linalg.norm(whole.shift[at]) == pytest.approx(np.linalg.norm(shift_D), rel=1e-5)
    model, writing = reader.model(), personascan.Writing(6)
    personascan.write_direction(tmp_path / "calm.safetensors", direction, model)
    back = personascan.read_direction(tmp_path / "calm.safetensors", model.config)
    np.testing.assert_array_equal(back.shift[at], shift_D)
    texts = personascan.steered_texts(model, direction, ["Say yes?", "No?"], [-9, 0, 9], writing)
    assert [len(row) for row in texts] == [3, 3]
    plain = personascan.steered_texts(model, direction, ["Say yes?"], [0.0], writing)
    assert plain[0][0] == texts[0][1]
    assert texts[0][0] != texts[0][2]
    rows = background_rows(place / "out", "calm", units=units)
    assert list(rows) == [at]
    capped = personascan.cap(direction, rows=rows, quantile=0.1)
    unit_D = shift_D / np.linalg.norm(shift_D)
    assert capped.threshold[at] == pytest.approx(np.quantile(rows[at] @ unit_D, 0.1), rel=1e-5)
    caps = [capped, personascan.cap(direction, np.inf)]
    both = personascan.steered_texts(model, direction, ["Say yes?", "No?"], [9], writing, caps=caps)
    assert [row[0] for row in both] == [row[2] for row in texts]
    assert [row[2] for row in both] == [row[1] for row in texts]
    assert [row[1] for row in both] == personascan.generate(
        model, ["Say yes?", "No?"], writing, edits=capped
    )


@pytest.mark.parametrize(
    ("keywords", "line"),
    [
        (dict(comparison="brave"), "'brave' is no comparison of .*; it has calm, bold"),
        (dict(kind="best"), "kind 'best' is unknown"),
        (dict(half="C"), "half 'C' is unknown"),
        (dict(half="all"), "calm: halves of the rows chose the places, and not all of them; leave"),
        (dict(place="attn_out 1"), "'attn_out 1' is no place of this study"),
        (dict(study="nowhere"), "nowhere holds no finished study"),
    ],
)
def test_what_cannot_be_steered_is_refused(deciding, keywords, line):
    place, config, _ = deciding
    asked = dict(study=place / "out", comparison="calm", units=config["units"]) | keywords
    with pytest.raises(personascan.InputError, match=line):
        personascan.found_direction(**asked)


def test_texts_stand_side_by_side():
    shown = side_by_side(["one two three", "a\nb"], ["x -1", "x +1"], 27)
    assert shown.splitlines() == [
        "x -1           x +1",
        "----           ----",
        "one two        a",
        "three          b",
    ]


def test_the_script_prints_texts_and_writes_the_direction(deciding, tmp_path):
    place, config, _ = deciding
    command = [
        sys.executable, str(ROOT / "scripts/steer.py"), f"--study={place / 'out'}",
        f"--units={config['units']}", "--comparison=calm", "--strength=-6,0,6", "--cap=.9",
        "--new_tokens=5", "--prompt=Say yes?", f"--export={tmp_path / 'calm.safetensors'}",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].endswith("calm.safetensors: calm")
    assert lines[1].startswith("steering at ")
    assert lines[2].startswith("strength 1 adds a vector of length ")
    assert ": 1 of a deviation of the background at its nodes and " in lines[2]
    assert lines[4] == "> Say yes?"
    assert lines[6].split() == ["calm", "-6", "calm", "+0", "calm", "+6", "calm", "capped", "0.9"]

import csv
import json
import pathlib
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from tiny_models import save_tiny_llama
from tiny_pages import content_words, page_words
from tiny_studies import recipe, run_study

from personascan.analysis.chance import halving_labels, halving_sizes
from personascan.analysis.overlaps import overlaps
from personascan.places import Place
from personascan.report.document import document, read_document
from personascan.report.page import how_sentences
from personascan.report.render import picture_files
from personascan.report.summary import summary_table
from personascan.report.words import safe
from personascan.study.config import StudyConfig
from personascan.study.frames import TABLES
from personascan.study.opening import open_study
from personascan.study.store import Store


def table(study, name):
    with (pathlib.Path(study.config.out) / name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_folder_holds_everything(study):
    out = pathlib.Path(study.config.out)
    expected = {
        "sha256.json",
        "study.json",
        "places.csv",
        "detection.csv",
        "findings.csv",
        "held_out.csv",
        "kinds.csv",
        "runs.csv",
        "nodes.csv",
        "overlaps.csv",
        "personas.csv",
        "profiles.csv",
        "promoted.csv",
        "tokens.csv",
        "report.html",
        "report.json.gz",
        "report.md",
        "validation.csv",
        "study.log",
    }
    assert {p.name for p in out.iterdir()} == expected | {"figures"}
    assert [p.name for p in (out / "figures").iterdir()] == ["map-0.png"]
    assert not [p for p in out.parent.iterdir() if p.name.startswith(".")]
    record = json.loads((out / "study.json").read_text())
    assert record["config"] == study.config.to_dict()
    assert record["seed"] == 0
    tokenizer = {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja"}
    read = {"config.json", "model.safetensors", *tokenizer}
    assert set(record["sha256"]) == {"model", "chat template", "0.jsonl", "1.jsonl"} | {
        f"model/{name}" for name in read
    }
    assert record["versions"]["jax"]


PLACE = ("site", "layer", "position", "comparison", "statements_scanned")


def test_tables_agree_with_what_was_scanned(study):
    assert list(map(str, study.part.places)) == [
        "resid_post 0, last", "resid_post 1, last", "resid_post 2, last", "final_norm, last",
    ]  # fmt: skip
    assert len(table(study, "places.csv")) == 2 * 4
    runs = table(study, "runs.csv")
    assert len(runs) == 2 * 3 * 6  # comparisons, two halves and one named place, runs
    for row in runs:
        ids = row["statements"].split(";")
        assert len(ids) == int(row["n_statements"])
        number = "0" if row["comparison"] == "calm" else "1"
        assert all(i.startswith(f"{number}-") for i in ids)
        # Even numbers are the positives: precision and recall follow from the ids alone.
        hits = sum(int(i.split("-")[1]) % 2 == 0 for i in ids)
        positives = 4 if row["statements_scanned"] == "all" else 2
        assert float(row["precision"]) == pytest.approx(hits / len(ids), abs=1e-5)
        assert float(row["recall"]) == pytest.approx(hits / positives, abs=1e-5)
        returned = {*row["nodes_high"].split(), *row["nodes_low"].split()}
        assert len(returned) == int(row["n_nodes"])
    nodes = table(study, "nodes.csv")
    assert len(nodes) == 2 * 3 * 2 * 48  # upper and lower halves
    for row in nodes:
        assert int(row["in_set"]) == (float(row["q"]) <= 0.05)
        assert row["direction"] in ("high", "low")
    overlap = table(study, "overlaps.csv")[0]
    within = [
        {
            n["node"]
            for n in nodes
            if n["in_set"] == "1" and n["comparison"] == p and n["statements_scanned"] == "all"
        }
        for p in ("calm", "bold|../$x$")
    ]
    assert int(overlap["observed"]) == len(within[0] & within[1])
    assert float(overlap["expected_by_chance"]) == pytest.approx(
        len(within[0]) * len(within[1]) / 48, rel=1e-4
    )


def test_places_are_chosen_on_one_half_and_judged_on_the_other(study):
    for name, (a, b, named) in study.part.scans.items():
        assert (a.choice.half, b.choice.half, named.choice) == ("A", "B", None)
        assert not set(a.rows) & set(b.rows)
        assert sorted([*a.rows, *b.rows]) == list(range(48))
        positive = np.array([int(i.split("-")[1]) % 2 == 0 for i in study.part.pool_ids[name]])
        assert positive[a.rows].sum() == positive[b.rows].sum() == 12
        for scan in (a, b):
            assert scan.place in study.part.places
            assert 1 / 40 <= scan.choice.p_judged <= 1
    for row in table(study, "findings.csv"):
        calibration = study.part.calibrations[row["comparison"]]
        assert float(row["z"]) == pytest.approx(calibration.z.max(), rel=1e-5)
        assert float(row["p_family"]) == pytest.approx(calibration.p_family[calibration.best])


def test_every_place_is_set_against_its_permutations(study):
    rows = table(study, "places.csv")
    for row in rows:
        calibration = study.part.calibrations[row["comparison"]]
        index = [p.name for p in calibration.keys].index(
            row["site"] if row["site"] == "final_norm" else f"{row['site']} {row['layer']}"
        )
        assert float(row["statistic"]) == pytest.approx(calibration.score[index], rel=1e-5)
        assert float(row["p_family"]) == pytest.approx(calibration.p_family[index])
        assert 1 / 40 <= float(row["p_step_down"]) <= float(row["p_family"]) <= 1
        assert 1 / 40 <= float(row["p"]) <= 1
    for row in table(study, "overlaps.csv"):
        assert 1 / 40 <= float(row["chance_p"]) <= 1
        assert 0 <= float(row["chance_low"]) <= float(row["chance_mean"])
        assert float(row["chance_mean"]) <= float(row["chance_high"])


def test_overlaps_are_set_beside_halves_of_h0(study):
    """By hand, from the rows of each comparison."""
    (place,) = study.part.overlaps
    (found,) = study.part.overlaps[place]
    opened = open_study(study.config)
    store = Store(pathlib.Path(study.config.units))
    cases = opened.cases(opened.sources[0], store, 2)
    sets, chance = {}, {}
    for case in cases:
        rows_ND = case.rows(place).array()
        h0_ND = rows_ND[~case.pool.positive_N]
        half_N = halving_labels(len(h0_ND), case.seed)
        splits = case.config.where.permutations
        chance[case.name] = halving_sizes(h0_ND, half_N, splits, case.seed)
        sets[case.name] = next(s for s in study.part.scans[case.name] if s.plain).nodes_D
    (expected,) = overlaps(sets, chance, study.config.seed)
    assert repr(replace(found, same_direction=np.nan, at_least=np.nan)) == repr(expected)
    one, other = (next(s for s in study.part.scans[name] if s.plain).tested for name in found.names)
    shared = np.logical_and(*sets.values())
    assert found.at_least == min(one.at_least(shared), other.at_least(shared))
    if shared.any():
        assert found.same_direction == (one.direction == other.direction)[shared].mean()
    assert not np.isnan(found.p)


def test_without_permutations_named_places_are_scanned_and_nothing_is_claimed(place):
    scan = {"places": ("final_norm",), "tail": "two", "starts": "2"}
    found = run_study(recipe(place, out="plain", scan=scan, where={"permutations": 0}))
    assert not found.part.calibrations
    assert [str(s.place) for s in found.part.scans["calm"]] == ["final_norm, last"]
    nodes = table(found, "nodes.csv")
    assert len(nodes) == 2 * 48
    runs = [r for r in table(found, "runs.csv") if r["comparison"] == "calm"]
    for row in nodes[:48]:
        chosen = [row["node"] in {*r["nodes_high"].split(), *r["nodes_low"].split()} for r in runs]
        assert float(row["frequency"]) == pytest.approx(np.mean(chosen), abs=1e-5)
        assert int(row["in_set"]) == (np.mean(chosen) >= 0.5)
        assert (row["q"], row["direction"]) == ("", "")
    page = page_words(place / "plain")
    assert "Scores carry no p-value" in page
    assert "What was found" not in page
    assert "is no sign of a common code" in page
    assert "random halves" not in page  # none were made
    files = picture_files(read_document(place / "plain"), "png")  # where nothing has a z
    assert {"map.png", "profiles.png"} <= set(files)


def test_heads_have_the_share_of_their_nodes_that_was_selected(study):
    """Of twelve columns each, were the rows of the scan those of heads."""
    part = study.part
    scan = replace(part.scans["calm"][0], place=Place("head_out", 1, "last"))
    part = part.with_results(scans={"calm": [scan]})
    columns = TABLES["heads"].columns
    rows = [dict(zip(columns, row, strict=True)) for row in TABLES["heads"].rows(part)]
    assert [row["head"] for row in rows] == list(range(48 // part.head_width)) == [0, 1, 2, 3]
    shares = scan.frequency_TC.reshape(2, 4, 12).mean((0, 2))
    for row in rows:
        assert row["share_selected"] == pytest.approx(shares[row["head"]])


@pytest.mark.slow
def test_sites_of_several_widths_and_heads(place):
    """Neurons, heads and the stream in one family; heads have a table of their own."""
    sites = ("mlp_hidden", "head_out", "resid_post")
    scan = {"places": ("head_out 1", "mlp_hidden 1")}
    found = run_study(recipe(place, out="sites", sites=sites, layers=(1,), scan=scan))
    assert [p.name for p in found.part.places] == ["mlp_hidden 1", "head_out 1", "resid_post 1"]
    heads, neurons = found.part.scans["calm"]
    width = heads.q_C.size // 2
    assert neurons.q_C.size // 2 != width
    rows = [r for r in table(found, "heads.csv") if r["comparison"] == "calm"]
    assert len(rows) == width // found.part.head_width
    # The mean square of t/(t^2 + N - 2) over a head's nodes, from the nodes' own effects.
    d_D, size = heads.tested.effect, len(heads.rows)
    t2_D = d_D**2 * size / 4
    r2_H = (t2_D / (t2_D + size - 2)).reshape(len(rows), -1).mean(1)
    for row in rows:
        head = int(row["head"])
        assert float(row["r2"]) == pytest.approx(r2_H[head], rel=1e-3)
        assert 0 < float(row["r2_permuted"]) < 1
        assert 1 / 40 <= float(row["p_family"]) <= 1
    node = next(
        r for r in table(found, "nodes.csv") if r["site"] == "head_out" and r["node"] == "9"
    )
    assert int(node["head"]) == 9 // found.part.head_width


def test_the_scan_finds_the_planted_direction(study):
    for scan in study.part.scans["calm"]:
        assert study.part.separation["calm"][scan.place].mean["probe_auroc"] > 0.95
        assert np.nanmean(scan.precision_R) > 0.7
        assert scan.auroc > 0.8


def test_the_report_says_what_the_tables_say(study):
    page = page_words(study.config.out)
    assert safe("bold|../$x$") in page
    assert str(study.part.furthest["calm"]) in page
    assert "Chosen on one half of the statements" in page
    assert "The labels were permuted 39 times, the same permutations at all places" in page
    short = (pathlib.Path(study.config.out) / "report.md").read_text()
    assert "(figures/map-0.png)" in short
    for sentence in read_document(study.config.out)["parts"][0]["lead"]:
        assert f"\n- {sentence}\n" in short
    scan = study.part.scans["calm"][0]
    assert f"{scan.precision_R.mean():.2f} ± {scan.precision_R.std():.2f}" in page
    summary = summary_table(study)
    assert len(summary.splitlines()) == 3 + 2 + 1 + 1 + 2 * 3 + 2  # with what columns are
    assert summary.count("(wording: accuracy of word counts") == 1
    assert re.search(r"half\schose\)\n\ncomparison", summary)
    assert summary.endswith("node set: q <= 0.05)")
    assert max(map(len, re.findall(r"^\(.*$", summary, re.MULTILINE))) <= 100


@pytest.mark.slow
def test_levels_one_and_zero_need_no_other_code(place):
    found = run_study(recipe(place, out="level1", levels=(1,), scan={"places": ("final_norm",)}))
    assert list(found.part.scans) == ["calm", "bold|../$x$"]
    assert found.part.pool_sizes["calm"] == (24, 24)
    assert {i[:2] for i in found.part.pool_ids["calm"]} == {"0-", "1-"}


@pytest.mark.slow
def test_a_constant_layer_is_reported_and_finds_nothing(place, tmp_path):
    """Without attention in block 0 its output at a template token is the same for all."""
    from safetensors.numpy import load_file, save_file

    save_tiny_llama(tmp_path / "model")
    path = tmp_path / "model/model.safetensors"
    tensors = load_file(path)
    tensors["model.layers.0.self_attn.o_proj.weight"] *= 0
    save_file(tensors, path)
    found = run_study(recipe(place, out="constant", models=(str(tmp_path / "model"),)))
    constant = found.part.places[0]
    assert found.part.separation["calm"][constant].constant
    scan = next(s for s in found.part.scans["calm"] if s.place == constant)
    assert not scan.runs.score.any()
    assert not scan.set_TC.any()
    rows = [r for r in table(found, "places.csv") if (r["site"], r["layer"]) == ("resid_post", "0")]
    assert [(r["constant"], r["probe_auroc_mean"]) for r in rows] == [("1", "")] * 2
    page = page_words(place / "constant")
    assert "nothing to separate: resid_post 0, last" in page
    assert "No run returned anything for calm at resid_post 0, last" in page
    assert "nan" not in page + summary_table(found)


def words(study, **changes):
    """The page of a study, were it of another configuration: what was read and found stays.

    The first is what it says of the prompts and of what was kept of them.
    """
    config = StudyConfig.from_dict(study.config.to_dict() | {"out": study.config.out} | changes)
    (source,) = open_study(config).sources
    part = replace(study.part, config=config, source=source, level=config.levels[0])
    page = content_words(document(replace(study, config=config, parts=[part])))
    return how_sentences(replace(part, places=source.places)), page


@pytest.mark.parametrize(
    ("changes", "said", "unsaid"),
    [
        (
            {},
            [
                "as a single system message.",
                "the prompt's last token (`last`) were",
                "confidence of 0.85",
            ],
            ["bare text", "bfloat16"],
        ),
        (
            {"role": "user", "positions": ("mean_statement",), "prefix": "So `x`: ", "suffix": "!"},
            ["as a single user message, behind ``So `x`: `` and in front of `!`", "the mean over"],
            ["system message", "last token"],
        ),
        ({"role": "none", "positions": ("-2",)}, ["as bare text.", "the token at position -2"], []),
        (
            {"template_keywords": ("enable_thinking=false",), "dtype": "bfloat16"},
            ["message (with `enable_thinking=false`)", "(weights in bfloat16)"],
            [],
        ),
        (
            {"positions": ("last_statement",), "min_confidence": 0.5},
            ["statement's own last token", "confidence of 0.5"],
            [],
        ),
    ],
)
def test_the_page_says_how_statements_were_read(study, changes, said, unsaid):
    how, _ = words(study, **changes)
    for text in said:
        assert text in how
    for text in unsaid:
        assert text not in how


def test_the_page_says_what_was_asked_of_which_scan(study):
    scan = study.config.to_dict()["scan"]
    page = page_words(study.config.out)
    assert how_sentences(study.part) in page
    assert "How far apart the two directions lie" in page
    assert "of all that occur up to 0.5); it begins anew" in page
    _, page = words(study, scan=scan | {"alphas": "grid"})
    assert "(50 equal steps up to 0.5)" in page
    _, page = words(study, levels=(1,), scan=scan | {"alpha_min": 0.1, "alpha_max": 0.4})
    assert "How far apart H1 from H0 lie" in page
    assert "of all that occur from 0.1 up to 0.4" in page
    assert "the two directions" not in page


def test_a_tokenizer_without_template_is_told_on_the_page(study, place, tmp_path):
    shutil.copytree(place / "model", tmp_path / "model")
    (tmp_path / "model/chat_template.jinja").unlink()
    how, _ = words(study, models=(str(tmp_path / "model"),))
    assert "as bare text, since the tokenizer has no chat template." in how

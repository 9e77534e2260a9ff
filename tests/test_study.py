import csv
import importlib.util
import json
import pathlib

import numpy as np
import pytest
from tiny_models import save_tiny_llama
from tiny_studies import recipe

import personascan
from personascan.study import run_study, seed_of

ROOT = pathlib.Path(__file__).parents[1]


def table(study, name):
    with (pathlib.Path(study.config.out) / name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_folder_holds_everything(study):
    out = pathlib.Path(study.config.out)
    best = study.best_layer.replace(" ", "_")
    figures = {"separation", "pca", "precision_recall", "selection_frequency", "upset_resid_post_0"}
    expected = {
        "sha256.json",
        "study.json",
        "layers.csv",
        "runs.csv",
        "nodes.csv",
        "overlaps.csv",
        "report.md",
    }
    assert {p.name for p in out.iterdir()} == expected | {"figures"}
    assert {p.stem for p in (out / "figures").iterdir()} == figures | {f"upset_{best}"}
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


def test_tables_agree_with_what_was_scanned(study):
    assert study.layer_names == ["resid_post 0", "resid_post 1", "resid_post 2", "final_norm"]
    assert len(table(study, "layers.csv")) == 2 * 4
    runs = table(study, "runs.csv")
    assert len(runs) == 2 * len(study.scanned_layers()) * 6
    for row in runs:
        ids = row["statements"].split(";")
        assert len(ids) == int(row["n_statements"])
        number = "0" if row["comparison"] == "calm" else "1"
        assert all(i.startswith(f"{number}-") for i in ids)
        # Even numbers are the positives: precision and recall follow from the ids alone.
        hits = sum(int(i.split("-")[1]) % 2 == 0 for i in ids)
        assert float(row["precision"]) == pytest.approx(hits / len(ids), abs=1e-5)
        assert float(row["recall"]) == pytest.approx(hits / 5, abs=1e-5)
    nodes = table(study, "nodes.csv")
    assert len(nodes) == 2 * len(study.scanned_layers()) * 48
    for row in nodes[:200]:
        chosen = [
            row["node"] in r["nodes"].split()
            for r in runs
            if (r["layer"], r["comparison"]) == (row["layer"], row["comparison"])
        ]
        assert float(row["frequency"]) == pytest.approx(np.mean(chosen), abs=1e-5)
        assert int(row["in_set"]) == (np.mean(chosen) >= 0.5)
    overlap = table(study, "overlaps.csv")[0]
    within = [
        {
            n["node"]
            for n in nodes
            if n["in_set"] == "1" and n["comparison"] == p and n["layer"] == overlap["layer"]
        }
        for p in ("calm", "bold|../$x$")
    ]
    assert int(overlap["observed"]) == len(within[0] & within[1])
    assert float(overlap["expected_by_chance"]) == pytest.approx(
        len(within[0]) * len(within[1]) / 48, rel=1e-4
    )


def test_a_calibrated_study_sets_every_layer_against_its_permutations(place):
    scan = {"layers": ("best",), "starts": 3, "permutations": 9}
    found = run_study(recipe(place, out="calibrated", scan=scan))
    rows = table(found, "layers.csv")
    for row in rows:
        calibration = found.calibrations[row["comparison"]]
        layer = found.layer_names.index(row["layer"])
        assert float(row["scan_score"]) == pytest.approx(calibration.score[layer], rel=1e-5)
        assert float(row["scan_p_family"]) == pytest.approx(calibration.p_family[layer])
        assert 0.1 <= float(row["scan_p"]) <= float(row["scan_p_family"]) <= 1
    for row in table(found, "nodes.csv"):
        assert 0 <= float(row["q"]) <= 1
    for row in table(found, "overlaps.csv"):
        assert 0.1 <= float(row["permutation_p"]) <= 1
        assert float(row["null_mean"]) >= 0
    for name, (scan,) in found.scans.items():
        np.testing.assert_array_equal(scan.frequency_D, scan.calibration.frequency)
        assert name in found.calibrations
    out = pathlib.Path(found.config.out)
    assert (out / "figures" / "score_profile.png").stat().st_size > 1000
    report = (out / "report.md").read_text()
    assert "## Where the scan finds more than chance" in report
    assert "Scores carry no p-value" not in report


def test_numbers_at_the_axes_are_no_formulas(study):
    """Formulas are not parsed in figures that show names as they are."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from personascan.report.figures import all_figures

    with matplotlib.rc_context({"text.parse_math": False}):
        for figures in all_figures(study).values():
            for figure in figures.values():
                FigureCanvasAgg(figure).draw()
                for axis in figure.axes:
                    labels = [*axis.get_xticklabels(), *axis.get_yticklabels()]
                    assert not [t for t in labels if "mathdefault" in t.get_text()]


def test_the_scan_finds_the_planted_direction(study):
    best = next(s for s in study.scans["calm"] if s.layer == study.best_layer)
    assert study.separation["calm"][study.layer_names.index(best.layer)].mean["probe_auroc"] > 0.95
    assert np.nanmean(best.precision_R) > 0.7


def test_the_report_says_what_the_tables_say(study):
    page = (pathlib.Path(study.config.out) / "report.md").read_text()
    assert "bold?" in page
    assert "bold|" not in page
    assert study.best_layer in page
    assert "chosen by the probe on the same statements" in page
    for picture in (pathlib.Path(study.config.out) / "figures").iterdir():
        assert f"(figures/{picture.name})" in page
    scan = study.scans["calm"][0]
    assert f"{scan.precision_R.mean():.2f} ± {scan.precision_R.std():.2f}" in page
    summary = personascan.summary_table(study)
    assert len(summary.splitlines()) == 1 + 2 * len(study.scanned_layers())


def test_levels_one_and_zero_need_no_other_code(place):
    found = run_study(recipe(place, out="level1", level=1, scan={"layers": ("final_norm",)}))
    assert list(found.scans) == ["calm", "bold|../$x$"]
    assert found.pool_sizes["calm"] == (24, 24)
    assert {i[:2] for i in found.scans["calm"][0].pool_ids} == {"0-", "1-"}


def test_a_constant_layer_is_reported_and_finds_nothing(place, tmp_path):
    """Without attention in block 0 its output at a template token is the same for all."""
    from safetensors.numpy import load_file, save_file

    save_tiny_llama(tmp_path / "model")
    path = tmp_path / "model/model.safetensors"
    tensors = load_file(path)
    tensors["model.layers.0.self_attn.o_proj.weight"] *= 0
    save_file(tensors, path)
    found = run_study(recipe(place, out="constant", model=str(tmp_path / "model")))
    assert found.separation["calm"][0].constant
    scan = next(s for s in found.scans["calm"] if s.layer == "resid_post 0")
    assert not scan.runs.score.any()
    rows = [r for r in table(found, "layers.csv") if r["layer"] == "resid_post 0"]
    assert [(r["constant"], r["probe_auroc_mean"]) for r in rows] == [("1", "")] * 2
    page = (place / "constant/report.md").read_text()
    assert "nothing to separate: resid_post 0" in page
    assert "At resid_post 0 no run returned anything" in page
    assert "nan" not in page + personascan.summary_table(found)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(personas=("calm", "cold")), "persona 'cold' is not in"),
        (dict(personas=("calm", "calm")), "names one twice"),
        (dict(personas="calm"), "must be a list of names"),
        (dict(runs={"background": 23}), "calm: the 24 H0 statements cannot give 23 background"),
        (dict(runs={"positive": 24}), "calm: a sample of 24 of 24 H1"),
        (dict(scan={"layers": ("resid_post 9",)}), "names 'resid_post 9'; this model has"),
        (dict(scan={"alphas": "many"}), "use exact, grid or numbers"),
        (dict(scan={"score": "kl"}), "score 'kl' is unknown"),
        (dict(scan={"starts": "few"}), r"config\.scan\.starts must be int"),
        (dict(scan={"layer": "best"}), r"config\.scan\.layer is unknown; fields: layers"),
        (dict(level=3), "levels are 0, 1 and 2"),
        (dict(level=0), "nothing to compare 'moods'"),
        (dict(threshold=0.0), r"outside \(0, 1\]"),
        (dict(separation={"sample": 1.5}), "sample = 1.5"),
        (dict(separation={"probe_c": 0.0}), "probe_c = 0.0 is not positive"),
        (dict(runs=None), r"config\.runs must hold fields by name"),
        (dict(seed=-1), "outside 0 to"),
        (dict(statements="nowhere"), "do not exist"),
        (dict(model="nowhere"), "is not a folder"),
    ],
)
def test_bad_configurations_are_one_clear_line(place, changes, message):
    with pytest.raises(personascan.InputError, match=message) as caught:
        run_study(recipe(place, out="bad", **changes))
    assert "\n" not in str(caught.value)
    assert not (place / "bad").exists()


def test_comparisons_have_seeds_of_their_own():
    assert seed_of(0, "a") == seed_of(0, "a")
    assert len({seed_of(s, n) for s in (0, 1) for n in "ab"}) == 4


def test_the_demo_recipe_is_a_valid_configuration():
    spec = importlib.util.spec_from_file_location("demo", ROOT / "configs/demo.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = personascan.StudyConfig.from_dict(module.get_config().to_dict())
    assert (config.runs.background, config.runs.clean, config.runs.positive) == (60, 20, 20)
    assert (config.runs.runs, config.scan.score, config.scan.tail) == (100, "bj", "two")
    assert pathlib.Path(config.statements) == ROOT / "data/statements"


@pytest.mark.parametrize(
    ("changes", "said", "unsaid"),
    [
        (
            {},
            ["as a single system message.", "the prompt's last token were kept", "confidence 0.85"],
            ["bare text", "bfloat16"],
        ),
        (
            {"role": "user", "position": "mean_statement", "prefix": "So `x`: ", "suffix": "!"},
            ["as a single user message, behind `So ?x?: ` and in front of `!`", "as their mean"],
            ["system message", "last token"],
        ),
        ({"role": "none", "position": "-2"}, ["as bare text.", "the token at position -2"], []),
        (
            {"template_keywords": ("enable_thinking=false",), "dtype": "bfloat16"},
            ["message (with `enable_thinking=false`)", "(weights in bfloat16)"],
            [],
        ),
        (
            {"position": "last_statement", "min_confidence": 0.5, "scan": {"alphas": "grid"}},
            ["statement's own last token", "confidence 0.5", "alphas 50 equal steps up to 0.5"],
            [],
        ),
        (
            {"level": 1, "scan": {"alpha_min": 0.1, "alpha_max": 0.4}},
            ["Which layers separate H1 from H0", "every one attained from 0.1 up to 0.4"],
            ["the two directions"],
        ),
    ],
)
def test_the_page_says_what_was_done(place, tmp_path, changes, said, unsaid):
    config = recipe(place, scan={"layers": ("best",), "starts": 2}) | {"out": str(tmp_path / "out")}
    for key, value in changes.items():
        config[key] = config[key] | value if isinstance(value, dict) else value
    run_study(config)
    page = (tmp_path / "out/report.md").read_text()
    for text in said:
        assert text in page
    for text in unsaid:
        assert text not in page


def test_a_tokenizer_without_template_is_told_on_the_page(place, tmp_path):
    import shutil

    shutil.copytree(place / "model", tmp_path / "model")
    (tmp_path / "model/chat_template.jinja").unlink()
    out = str(tmp_path / "out")
    found = run_study(recipe(place) | {"model": str(tmp_path / "model"), "out": out})
    page = (tmp_path / "out/report.md").read_text()
    assert "as bare text, since the tokenizer has no chat template." in page
    assert found.provenance["role"] == "none"

import csv
import importlib.util
import json
import pathlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tiny_models import save_tiny_llama

import personascan
from personascan.study import run_study, seed_of

ROOT = pathlib.Path(__file__).parents[1]


def write_statements(folder, personas=("calm", "bold|../$x$"), count=24):
    """Positive statements are shouted in digits, so that even a random model tells them apart."""
    folder.mkdir()
    for number, persona in enumerate(personas):
        with (folder / f"{number}.jsonl").open("w") as file:
            for i in range(2 * count):
                positive = i % 2 == 0
                mark = "77777777" if positive else "eeeeeeee"
                row = {
                    "id": f"{number}-{i}",
                    "persona": persona,
                    "topic": "moods",
                    "statement": f"I {'am' if i % 3 else 'was'} {persona[:4]} {i} {mark}",
                    "question": "",
                    "label_confidence": 0.9,
                    "answer_matching_behavior": " Yes" if positive else " No",
                    "answer_not_matching_behavior": " No" if positive else " Yes",
                }
                file.write(json.dumps(row) + "\n")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    save_tiny_llama(folder / "model")
    write_statements(folder / "statements")
    return folder


def recipe(place, out="out", **changes):
    settings = {
        "model": str(place / "model"),
        "statements": str(place / "statements"),
        "separation": {"seeds": 2, "folds": 3},
        "runs": {"background": 10, "clean": 5, "positive": 5, "runs": 6},
        "scan": {"layers": ("best", "resid_post 0"), "starts": 3},
        "out": str(place / out),
    }
    for key, value in changes.items():
        settings[key] = settings[key] | value if isinstance(value, dict) else value
    return settings


@pytest.fixture(scope="module")
def study(place):
    return run_study(recipe(place))


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


def test_the_same_study_twice_gives_the_same_files(study, place):
    out = pathlib.Path(study.config.out)
    before = {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    run_study(recipe(place))
    after = {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert before == after


def test_another_configuration_never_replaces_a_study(study, place):
    before = (pathlib.Path(study.config.out) / "study.json").read_bytes()
    with pytest.raises(personascan.InputError, match=r"different: scan\.starts, seed"):
        run_study(recipe(place, scan={"starts": 4}, seed=1))
    assert (pathlib.Path(study.config.out) / "study.json").read_bytes() == before
    (place / "mine").mkdir(exist_ok=True)
    (place / "mine/notes.txt").write_text("keep")
    with pytest.raises(personascan.InputError, match="files that are not a study"):
        run_study(recipe(place, out="mine"))
    (place / "file").write_text("")
    with pytest.raises(personascan.InputError, match="is a file"):
        run_study(recipe(place, out="file"))
    (place / "broken").mkdir()
    (place / "broken/study.json").write_text("{")
    with pytest.raises(personascan.InputError, match="damaged"):
        run_study(recipe(place, out="broken"))


def test_other_inputs_never_replace_a_study(place):
    first = recipe(place, out="inputs")
    run_study(first)
    path = place / "statements/0.jsonl"
    text = path.read_text()
    path.write_text(text.replace("I am", "I stay", 1))
    try:
        with pytest.raises(personascan.InputError, match=r"contents of 0\.jsonl"):
            run_study(first)
    finally:
        path.write_text(text)


def test_what_the_user_put_into_the_folder_stays(place):
    out = place / "shared"
    run_study(recipe(place, out="shared"))
    wrote = {p.relative_to(out) for p in out.rglob("*") if p.is_file()}
    (out / "mine").mkdir()
    (out / "mine/figure.png").write_text("mine")
    (out / "notes.md").write_text("mine")
    run_study(recipe(place, out="shared"))
    assert {p.relative_to(out) for p in out.rglob("*") if p.is_file()} == wrote | {
        pathlib.Path("mine/figure.png"),
        pathlib.Path("notes.md"),
    }
    assert (out / "notes.md").read_text() == "mine"


def test_a_result_that_was_changed_is_refused_by_name(place):
    run_study(recipe(place, out="edited"))
    (place / "edited/report.md").write_text("my own words")
    with pytest.raises(personascan.InputError, match=r"edited/report\.md is not as the study"):
        run_study(recipe(place, out="edited"))
    assert (place / "edited/report.md").read_text() == "my own words"
    (place / "edited/report.md").unlink()
    run_study(recipe(place, out="edited"))
    assert "calm" in (place / "edited/report.md").read_text()


def test_a_link_is_followed_and_stays(place):
    (place / "elsewhere").mkdir()
    (place / "link").symlink_to(place / "elsewhere")
    for _ in range(2):
        run_study(recipe(place, out="link"))
    assert (place / "link").is_symlink()
    assert (place / "elsewhere/study.json").exists()


def test_an_interrupt_between_two_files_is_completed_by_the_next_run(place, monkeypatch):
    from personascan.report import folder

    out = place / "interrupted"
    run_study(recipe(place, out="interrupted"))
    (out / "notes.md").write_text("mine")
    before = {p.name: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    replace, calls = folder.os.replace, []

    def interrupted(source, target):
        calls.append(target)
        if "report.md" in str(target):
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(folder.os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_study(recipe(place, out="interrupted"))
    run_study(recipe(place, out="interrupted"))
    assert {p.name: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before
    assert not [p for p in place.iterdir() if p.name.startswith(".")]


def test_a_study_that_fails_leaves_nothing(place, monkeypatch):
    from personascan.report import folder

    def full_disk(*_):
        raise OSError("no space left")

    monkeypatch.setattr(folder, "draw_figures", full_disk)
    with pytest.raises(personascan.InputError, match="no space left"):
        run_study(recipe(place, out="failing"))
    assert not (place / "failing").exists()
    assert not [p for p in place.iterdir() if p.name.startswith(".")]


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


@pytest.mark.parametrize("file", ["chat_template.jinja", "tokenizer.json"])
def test_another_template_or_tokenizer_is_another_study(place, tmp_path, file):
    import shutil

    shutil.copytree(place / "model", tmp_path / "model")
    config = recipe(place) | {"model": str(tmp_path / "model"), "out": str(tmp_path / "out")}
    run_study(config)
    before = (tmp_path / "out/study.json").read_bytes()
    path = tmp_path / "model" / file
    path.write_text(path.read_text().replace("assistant", "helper") + "\n")
    with pytest.raises(personascan.InputError, match=f"contents of .*model/{file}"):
        run_study(config)
    assert (tmp_path / "out/study.json").read_bytes() == before


@pytest.mark.parametrize("damage", ["folder", "deep", "list"])
def test_a_record_that_is_no_record_is_one_line(place, tmp_path, damage):
    (tmp_path / "out").mkdir()
    record = tmp_path / "out/study.json"
    if damage == "folder":
        record.mkdir()
    else:
        record.write_text({"deep": "[" * 10_000 + "]" * 10_000, "list": "[]"}[damage])
    with pytest.raises(personascan.InputError, match="damaged; delete") as caught:
        run_study(recipe(place) | {"out": str(tmp_path / "out")})
    assert "\n" not in str(caught.value)


def test_two_studies_in_one_folder_are_one(place, tmp_path):
    """The second is refused at once; what the first one writes is its own."""
    from personascan.files import hold_folder

    config = recipe(place) | {"out": str(tmp_path / "out")}
    with ThreadPoolExecutor(1) as other, hold_folder(tmp_path / "out"):
        started = other.submit(run_study, config)  # another thread is another holder
        with pytest.raises(personascan.InputError, match="being written by another process"):
            started.result()
    assert not (tmp_path / "out").exists()


def test_an_unsealed_folder_keeps_what_differs(place):
    """As a run that was killed at the very end leaves it, or an earlier version."""
    out = place / "unsealed"
    run_study(recipe(place, out="unsealed"))
    (out / "sha256.json").unlink()
    (out / "figures/mine.png").write_text("mine")
    with (out / "report.md").open("a") as file:
        file.write("my words")
    run_study(recipe(place, out="unsealed"))
    assert (out / "figures/mine.png").read_text() == "mine"
    assert (out / "report.md.yours").read_text().endswith("my words")
    assert not (out / "report.md").read_text().endswith("my words")
    assert not list(out.rglob("*.csv.yours"))

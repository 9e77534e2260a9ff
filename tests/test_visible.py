"""Names from files at every outlet: shown, never acted on; cells are no formulas."""

import csv
import json
import shutil
import unicodedata

import pytest
from in_process import run_here
from tiny_pages import page_words
from tiny_studies import recipe, write_recipe

import personascan
from personascan.visible import cell, visible

EVIL = "=cmd|'/C'!A1\x1b[31m\x00\u202e\u2066\x9b7m"


def test_every_character_that_acts_is_spelled_out():
    shown = visible("".join(map(chr, range(0x3000))) + "\U000e0041\ud800")
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cs", "Zl", "Zp", "Co"}
    assert not set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200e\ufeff") & set(shown)
    assert visible("a\x1b\u202e\0") == r"a\x1b\u202e\x00"
    plain = "naïve 中文 ½ € नमस्ते\u200dx"
    assert visible(plain) == plain


def test_cells_are_no_formulas_and_can_be_read_back():
    for text in ("=1+1", "+1", "-1", "@x", "'quoted"):
        assert cell(text) == f"'{text}"
    for text in ("a=b", "1", "optimism", ""):
        assert cell(text) == text


def test_an_error_quotes_what_it_was_given_without_acting_on_it():
    message = str(personascan.InputError(f"the persona {EVIL!s}\nis not there"))
    assert "\x1b" not in message
    assert "\n" not in message
    assert r"\x1b[31m\x00\u202e\u2066\x9b7m is not there" in message


@pytest.fixture(scope="module")
def study(made, tmp_path_factory):
    """A study of a persona and ids of that kind, run by the script; (folder, what it said)."""
    folder = tmp_path_factory.mktemp("evil")
    shutil.copytree(made / "model", folder / "model")
    (folder / "statements").mkdir()
    with (folder / "statements/a.jsonl").open("w") as file:
        for i in range(48):
            row = {
                "id": f"={EVIL}{i}", "persona": EVIL,
                "statement": f"I {'77' if i % 2 else 'ee'} {i}",
                "label_confidence": 0.9, "answer_matching_behavior": " Yes" if i % 2 else " No",
            }  # fmt: skip
            file.write(json.dumps(row) + "\n")
    config = write_recipe(folder / "recipe.py", recipe(folder, layers=(0,)))
    done = run_here("study.py", f"--config={config}", "--jobs=1")
    assert done.returncode == 0, done.stderr
    return folder, done.stdout + done.stderr


def test_a_study_says_names_without_acting_on_them(study):
    folder, said = study
    page = (folder / "out/report.md").read_text() + page_words(folder / "out")
    for text in (said.replace("\r", "\n"), page):
        assert not {c for c in text if c not in "\n" and unicodedata.category(c) in ("Cc", "Cf")}
    assert r"\x1b[31m" in said


def test_ids_in_the_table_of_runs_can_always_be_split(study):
    folder, _ = study
    known = {f"={EVIL}{i}" for i in range(48)}
    with (folder / "out/runs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert any(row["statements"] for row in rows)
    for row in rows:
        assert not row["comparison"].startswith("=")
        if not row["statements"]:
            continue
        assert row["statements"].startswith("'=")
        ids = row["statements"].removeprefix("'").split(";")
        assert len(ids) == int(row["n_statements"])
        assert set(ids) <= {visible(id_) for id_ in known}


def test_an_id_that_holds_the_separator_is_refused_by_the_study(study, tmp_path):
    folder, _ = study
    rows = (folder / "statements/a.jsonl").read_text().replace(r"\u202e", ";")
    (tmp_path / "a.jsonl").write_text(rows)
    assert len(personascan.load_statements(tmp_path / "a.jsonl")) == 48
    config = {
        "models": (str(folder / "model"),), "statements": str(tmp_path / "a.jsonl"),
        "out": str(tmp_path / "out"),
    }  # fmt: skip
    with pytest.raises(personascan.InputError, match="holds ';', which separates ids"):
        personascan.run_study(config)

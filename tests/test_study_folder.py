"""A study's folder: held, sealed, never another study's, and whatever else lies in it stays."""

import pathlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from tiny_studies import files_of, recipe, run_study

import personascan


def test_the_same_study_twice_gives_the_same_files(study, place):
    out = pathlib.Path(study.config.out)
    before = files_of(out)
    run_study(recipe(place))
    assert before == files_of(out)


def test_another_configuration_never_replaces_a_study(study, place):
    before = (pathlib.Path(study.config.out) / "study.json").read_bytes()
    with pytest.raises(personascan.InputError, match=r"different: scan\.starts, seed"):
        run_study(recipe(place, scan={"starts": "4"}, seed=1))
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
    from personascan.study import folder

    out = place / "interrupted"
    run_study(recipe(place, out="interrupted"))
    (out / "notes.md").write_text("mine")
    before = files_of(out)
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
    assert files_of(out) == before
    assert not [p for p in place.iterdir() if p.name.startswith(".")]


def test_a_study_that_fails_leaves_its_journal_alone(place, monkeypatch):
    from personascan.study import folder

    def full_disk(*_):
        raise OSError("no space left")

    monkeypatch.setattr(folder, "write_tables", full_disk)
    with pytest.raises(personascan.InputError, match="no space left"):
        run_study(recipe(place, out="failing"))
    assert [p.name for p in (place / "failing").iterdir()] == ["study.log"]
    assert not [p for p in place.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("file", ["chat_template.jinja", "tokenizer.json"])
def test_another_template_or_tokenizer_is_another_study(place, tmp_path, file):
    import shutil

    shutil.copytree(place / "model", tmp_path / "model")
    config = recipe(place) | {"models": (str(tmp_path / "model"),), "out": str(tmp_path / "out")}
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

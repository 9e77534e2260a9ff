"""Statements and recipes of small studies, for the tests."""

import json


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


def recipe(place, out="out", **changes):
    settings = {
        "models": (str(place / "model"),),
        "statements": str(place / "statements"),
        "separation": {"seeds": 2, "folds": 3},
        "runs": {"background": 10, "clean": 4, "positive": 4, "runs": 6},
        "scan": {
            "places": ("chosen", "resid_post 0"),
            "starts": "3",
        },
        "where": {"permutations": 39, "fold_permutations": 19, "folds": 3},
        "out": str(place / out),
        "units": str(place / "units"),  # what one study of a folder has done, others use
    }
    for key, value in changes.items():
        settings[key] = settings.get(key, {}) | value if isinstance(value, dict) else value
    return settings


def make_study(folder):
    """A folder with a tiny model, statements, and their study with its units."""
    from tiny_models import save_tiny_llama

    folder.mkdir()
    save_tiny_llama(folder / "model")
    write_statements(folder / "statements")
    run_study(recipe(folder))
    return folder


def run_study(config):
    """In this process: others would take seconds to start."""
    import personascan

    return personascan.run_study(config, jobs=1)


def files_of(out):
    """What a study has written, but for its units and its journal."""
    found = {p.relative_to(out).as_posix(): p for p in out.rglob("*") if p.is_file()}
    return {
        name: p.read_bytes()
        for name, p in found.items()
        if name != "study.log" and not name.startswith("units/")
    }


RECIPE = """
import json
from ml_collections import ConfigDict

def get_config():
    return ConfigDict(json.loads({text!r}), convert_dict=True)
"""


def write_recipe(path, config):
    """A recipe as `--config` takes it."""
    path.write_text(RECIPE.format(text=json.dumps(config)))
    return path

"""What is known of a study before anything is computed is refused then."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tiny_studies import recipe

import personascan
from personascan.models.identity import identify
from personascan.study.config import StudyConfig
from personascan.study.fields import validate_fields
from personascan.study.opening import open_study

INTERVENED = dict(places=("resid_post 0",), controls=1, bootstrap=2, draws=1, statements=2)


@pytest.fixture
def place(made, tmp_path):
    """A model and statements that a test may change."""
    for name in ("model", "statements"):
        shutil.copytree(made / name, tmp_path / name)
    return tmp_path


def rewrite(place, change):
    path = place / "model/model.safetensors"
    save_file(change(load_file(path)), path, {"format": "pt"})


def opened(place, **changes):
    return open_study(validate_fields(StudyConfig, recipe(place, **changes)))


def test_a_model_without_head_is_not_intervened_on(place, capsys):
    rewrite(place, lambda tensors: {n: w for n, w in tensors.items() if n != "lm_head.weight"})
    assert not identify(str(place / "model")).config.has_head
    with pytest.raises(personascan.InputError, match="predicts no next token"):
        opened(place, intervention=INTERVENED)
    (source,) = opened(place, baselines=("length", "log-likelihood")).sources
    assert [b.name for b in source.baselines] == ["characters"]
    assert "no lm_head, and so no log-likelihood" in capsys.readouterr().err


def test_tensors_that_are_not_the_models_are_listed_before_any_is_read(place):
    rewrite(
        place,
        lambda found: {n.replace(".norm.", ".end."): w for n, w in found.items()},
    )
    with pytest.raises(personascan.InputError, match=r"-model\.norm.* \+model\.end"):
        identify(str(place / "model"))


def test_a_direction_that_does_not_fit_is_refused(place):
    path = place / "direction.safetensors"
    save_file({"direction.1": np.ones(47, np.float32)}, path)
    asked = INTERVENED | {"directions": (str(path),)}
    with pytest.raises(personascan.InputError, match="47"):
        opened(place, intervention=asked)
    save_file({"direction.1": np.ones(48, np.float32)}, path)
    opened(place, intervention=asked)


def test_answers_that_begin_alike_are_refused(place):
    path = place / "model/tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["normalizer"] = {"type": "Replace", "pattern": {"String": "Yes"}, "content": "No"}
    path.write_text(json.dumps(tokenizer))
    with pytest.raises(personascan.InputError, match="does not tell the answers Yes and No apart"):
        opened(place, intervention=INTERVENED)


SEARCHED = {
    "models": ("nowhere",), "statements": "nothing", "out": "out",
    "sites": ("resid_post", "final_norm"), "layers": (2, 7), "positions": ("last", "-2"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        (
            "attn_out 2 last",
            r"\('attn_out 2 last': config.sites = \('resid_post', 'final_norm'\)\)",
        ),
        ("resid_post 3 last", r"\('resid_post 3 last': config.layers = \(2, 7\)\)"),
        ("resid_post 7, mean", r"\('resid_post 7, mean': config.positions = \('last', '-2'\)\)"),
        ("final_norm first", r"\('final_norm first': config.positions = .*\)\)"),
    ],
)
@pytest.mark.parametrize("field", ["scan", "intervention"])
def test_a_place_that_is_not_searched_is_refused_before_any_file_is_read(name, fault, field):
    places = {"places": ("chosen", name)}
    config = SEARCHED | {"scan": {"places": ("chosen",)}} | {field: places}
    line = (
        rf"config\.{field}\.places names a place that this study does not search {fault}; name one"
    )
    with pytest.raises(personascan.InputError, match=line):
        StudyConfig.from_dict(config)


@pytest.mark.parametrize(
    "name", ["resid_post 7 last", "resid_post 7, -2", "final_norm last", "resid_post 50% last"]
)
def test_a_place_that_may_be_searched_waits_for_the_model(name):
    assert StudyConfig.from_dict(SEARCHED | {"scan": {"places": (name,)}}).scan.places == (name,)

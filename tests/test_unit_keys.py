"""Units keep their names: what a study has finished is found again by a later version.

`golden/unit_keys.json` holds the keys of one unit of each kind, of made sources. A key that changes
makes every study from before do that unit anew: only a change of what the unit means may change it,
and CHANGELOG.md says so. `python tests/test_unit_keys.py` writes the file.
"""

import json
import pathlib
from dataclasses import dataclass, field

import numpy as np

from personascan.places import Place
from personascan.sources.base import Baseline, Terms
from personascan.sources.language.statements import Statement
from personascan.study.case import Topic
from personascan.study.comparisons import draw_topics
from personascan.study.config import StudyConfig
from personascan.study.half_direction import half_direction
from personascan.study.opening import Opened
from personascan.study.rows import activations_unit
from personascan.study.stages import (
    baseline,
    crossfit,
    detection,
    intervention,
    kinds,
    localisation,
    nodes,
    null,
    personas,
    profile,
    projection,
    promoted,
    separation,
    specificity,
    split,
    tokens,
    transfer,
    validation,
    where,
    wording,
    words,
    written,
)
from personascan.study.store import Store

FILE = pathlib.Path(__file__).with_name("golden") / "unit_keys.json"
PLACES = [Place(site, layer, "last") for site in ("resid_post", "head_out") for layer in (0, 1)]
LENGTH = Place("length", 0, "", "statement")


@dataclass
class MadeSource:
    """Rows that are never read: units are named by what decides them alone."""

    entities: bool = False
    pairs: bool = False
    name: str = "made"
    places: list = field(default_factory=lambda: PLACES)
    extra: tuple = (LENGTH,)
    embedding: Place | None = LENGTH
    baselines: tuple = (Baseline("characters", LENGTH, "mean"),)
    layers: int = 2
    terms: Terms = field(default_factory=Terms)
    about: str = ""
    head_width: int = 4
    reader: None = None
    answers: bool = True
    shared_identity = {"model": "made"}  # noqa: RUF012

    @property
    def groups(self):
        return {
            persona: [
                Statement(
                    f"{persona}{i}", f"I am {i}", persona, "moods", i % 2 == 0, 1.0, "",
                    entity=f"{persona}{i % 2}{i // 4}" if self.entities else "",
                    pair=f"{persona}{i // 2}" if self.pairs else "",
                )
                for i in range(80)
            ]
            for persona in ("calm", "bold")
        }  # fmt: skip

    def identity(self, group, place):
        return {"rows": group, "place": [place.site, place.layer, place.position]}

    def shape(self, group, place):
        return len(self.groups[group]), 16

    def named(self, text):
        return next(place for place in self.places if place.name == text)


def config_of(**changes) -> StudyConfig:
    raw = {
        "models": ("made",),
        "statements": "none",
        "sites": ("resid_post", "head_out"),
        "transfer": True,
        "separation": {"seeds": 2, "folds": 3},
        "runs": {"background": 10, "clean": 4, "positive": 4, "runs": 6},
        "scan": {
            "places": ("chosen", "resid_post 1"),
            "permutations": 39,
            "mixtures": ({"share": 0.2, "alpha_max": 0.4},),
        },
        "intervention": {"places": ("resid_post 1",), "statements": 3},
        "where": {"permutations": 39, "fold_permutations": 19, "folds": 3},
        "out": "out",
    } | changes
    return StudyConfig.from_dict(json.loads(json.dumps(raw)))


def keys_of(source: MadeSource, store: Store) -> dict[str, str]:
    config = config_of()
    opened = Opened(config, [source], {})
    case, other = opened.cases(source, store, 2)
    place, heads = PLACES[1], PLACES[3]
    (topic,) = draw_topics(source.groups, config.apart, config.seed)
    works = {
        "wording": wording.work(case),
        "words": words.work(case),
        "embedded": crossfit.work(case, source.embedding),
        "baseline": baseline.work(case, source.baselines[0]),
        "separation": separation.work(case, place),
        "detection": detection.work(case, place),
        "where": where.work(case, "all", place),
        "where of a half": where.work(case, "A", place),
        "crossfit": crossfit.work(case, place),
        "null": null.work(case, place, "signed"),
        "localisation": localisation.work(case, "all", place),
        "localisation of a half": localisation.work(case, "B", place),
        "mixed": localisation.work(case, "all", place, config.scan.mixtures[0]),
        "nodes": nodes.work(case, "all", place),
        "nodes of heads": nodes.work(case, "A", heads),
        "projection": projection.work(case, place),
        "profile": profile.work(case, PLACES[:2]),
        "validation": validation.work(case, "A", "B", place),
        "kinds": kinds.work(case, "A", place),
        "transfer": transfer.work(case, place, [other]),
        "personas": personas.work(Topic(source, topic, store, 5), place),
        "split": split.work(case, place),
        "intervention": intervention.work(case, "A", "B", place),
        "tokens": tokens.work(case, half_direction(case, place)),
        "promoted": promoted.work(case, half_direction(case, place)),
        "written": written.work(case, "A", place),
        "specificity": specificity.work(case, "B", [nodes.node_set(case, "A", place)]),
    }
    keys = {name: work.unit.key for name, work in works.items()}
    return keys | {"activations": activations_unit(source, "calm", place).key}


def all_keys() -> dict[str, dict[str, str]]:
    store = Store("/nowhere")
    return {
        "rows": keys_of(MadeSource(), store),
        "entities": keys_of(MadeSource(entities=True), store),
        "pairs": keys_of(MadeSource(pairs=True), store),
    }


def known_model(monkeypatch=None):
    """Interventions are named by the model, its prompts and its answers as well: made ones."""

    def made(source):
        return {"model": "made"}

    for module in (intervention, specificity):
        if monkeypatch is None:
            module.model_inputs = made
        else:
            monkeypatch.setattr(module, "model_inputs", made)


def test_units_keep_their_keys(monkeypatch):
    known_model(monkeypatch)
    assert all_keys() == json.loads(FILE.read_text())


def test_every_kind_has_a_key_of_its_own(monkeypatch):
    known_model(monkeypatch)
    keys = all_keys()
    for found in keys.values():
        assert len(set(found.values())) == len(found)
    assert keys["rows"]["where"] != keys["pairs"]["where"] != keys["entities"]["where"]
    # The order in which inputs are named, or NumPy's kinds of whole numbers, decide nothing.
    assert keys["rows"] == keys_of(MadeSource(), Store(np.str_("/elsewhere")))


if __name__ == "__main__":
    known_model()
    FILE.write_text(json.dumps(all_keys(), indent=1) + "\n")

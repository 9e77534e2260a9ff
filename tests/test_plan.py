"""What a study will take, before it is run: as many units as are done, of every recipe."""

import numpy as np
import pytest
from test_recipes import ROOT, recipe_of

import personascan
from personascan.sources.base import Baseline
from personascan.study import plan, timing
from personascan.study.comparisons import Pool
from personascan.study.config import StudyConfig
from personascan.study.counts import Counted
from personascan.study.opening import open_study
from personascan.study.order import STAGES
from personascan.study.stage import Phase
from personascan.study.store import Store

RECIPES = sorted(path.stem for path in (ROOT / "configs").glob("*.py"))
SMALL = {
    "separation": {"seeds": 1, "folds": 2},
    "runs": {"background": 10, "clean": 4, "positive": 4, "runs": 6},
    "detection": {"limit": 0, "tails": ()},
    "validation": {"random_sets": 2, "shuffles": 2, "bootstrap": 20},
}
SCAN = {"starts": "3", "statistic_runs": 2}
# The scans of all recipes compile once; other tests have every score and tail.
ONE_SCAN = {"score": "bj", "tail": "signed", "alphas": "exact", "alpha_max": 0.5, "alpha_min": 0.0,
            "tails": (), "mixtures": ()}  # fmt: skip


def planned(config) -> dict[str, int]:
    (model,) = personascan.plan_study(config, jobs=1).models
    return {stage.kind: stage.units for stage in model.stages}


@pytest.fixture
def untimed(monkeypatch):
    monkeypatch.setattr(plan, "time_units", lambda *asked: timing.UnitTimes({}, 0.0))


def rows(folder, count=40, groups=("p",), **labels):
    """Every group has as many rows of H1 as of H0."""
    values = np.random.default_rng(0).normal(size=(count * len(groups), 5))
    side = np.tile(np.arange(count) < count // 2, len(groups))
    names = np.repeat(groups, count)
    places = {"a": values, "b": values + 1}
    return personascan.write_rows(folder, places, side, groups=names, **labels)


def test_a_small_study_is_planned(tmp_path, untimed):
    """Rows have no topics whose personas could be told apart, which takes fifty of them."""
    config = {
        "rows": (rows(tmp_path / "rows"),), "out": str(tmp_path / "out"),
        "scan": {"places": ("a",)}, **SMALL,
    }  # fmt: skip
    found = planned(config)
    assert "personas" not in found
    assert found["localisation"] == 1
    assert not (tmp_path / "out").exists()


def test_every_kind_of_unit_is_counted(tmp_path, untimed):
    """As many as the study's own course has at every place."""
    config = {
        "rows": (rows(tmp_path / "rows", groups=("p", "q"), conditions=["c", "d"] * 40),),
        "out": str(tmp_path / "out"), "transfer": True, **SMALL,
        "scan": SCAN | {"places": ("a",), "permutations": 9, "tails": ("right", "either"),
                        "mixtures": ({"share": 0.25},)},
        "detection": {"tails": ("right", "left"), "conditional": True, "splits": 2},
    }  # fmt: skip
    found = planned(config)
    opened = open_study(StudyConfig.from_dict(config))
    (source,) = opened.sources
    (level,) = opened.levels(source, Store(tmp_path))
    everywhere = [stage for stage in STAGES if stage.phase is Phase.EVERYWHERE]
    for stage in everywhere:
        assert found.get(stage.kind, 0) == len(stage.works(level))
    assert {"separation", "detection", "where", "null", "transfer"} <= set(found)
    assert found["detection"] == 2 * 2 * 3 * 2  # comparisons, places, tails, with conditions or not
    assert found["null"] == 2 * 2 * (1 + 2)
    assert found["where"] == 2 * 2
    assert found["nodes"] == 2
    assert found["localisation"] == 2 * (1 + 1)
    assert found["profile"] == 2
    assert found["projection"] == 2 * 2
    assert found["split"] == 2
    assert found["activations"] == 2 * 2


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_can_be_planned(name, tmp_path, monkeypatch):
    """One unit of each kind that the recipe has is done on numbers made up, of a small shape."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(timing.Trial, "time", lambda _, function, *given: bool(function(*given)))
    raw = recipe_of(ROOT / f"configs/{name}.py").get_config().to_dict()
    raw |= {key: raw.get(key, {}) | value for key, value in SMALL.items()}
    raw["scan"] |= SCAN | ONE_SCAN | {"permutations": 4}
    config = StudyConfig.from_dict(raw)
    positive_N = np.arange(48) < 24
    strata = tuple("HL"[i % 2] for i in range(48))
    pools = [Pool(c, tuple(map(str, range(48))), positive_N, strata, ((c, strata),)) for c in "pq"]
    counted = Counted(
        config=config,
        levels=[pools] * len(config.levels),
        texts=tuple(f"word {s}" for s in strata) if config.statements else None,
        topics=pools[:1] if config.apart and config.statements else [],
        widths=[4, 8, 8], lines=1, named=1,
        baselines=[Baseline("length", None, "mean")] * len(config.baselines), extra=0, embedded=0,
        groups=2,
        rows=96,
    )  # fmt: skip
    units = {stage.kind for stage in STAGES if stage.count(counted)}
    found = timing.time_units(counted, units).seconds
    asked = {s.kind for s in STAGES if s.phase in (Phase.ASKED, Phase.CROSSED)}
    assert set(found) == units - asked
    assert all(seconds >= 0 for seconds in found.values())


def test_what_the_units_compile_is_part_of_the_plan(tmp_path, monkeypatch):
    """The first call of a unit of each kind takes so much longer than the second."""
    calls = []
    monkeypatch.setattr(timing, "seconds_of", lambda *_: calls.append(1) or 3.0 * (len(calls) % 2))
    config = {
        "rows": (rows(tmp_path / "rows"),), "out": str(tmp_path / "out"),
        "scan": {"places": ("a",)}, **SMALL,
    }  # fmt: skip
    (found,) = personascan.plan_study(config, jobs=1).models
    timed = [stage for stage in found.stages if stage.kind != "activations"]
    assert len(calls) == 2 * len(timed)  # none is timed more often
    assert found.seconds == found.compiling == 3.0 * len(timed)
    assert "of it compiling" in found.summary()

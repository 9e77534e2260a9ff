"""Configurations of studies: those that cannot be are refused, those that are shipped are valid."""

import functools
import importlib.util
import pathlib

import numpy as np
import pandas
import pytest
from tiny_studies import recipe, run_study

import personascan
from personascan.places import Place, chosen_places, named_place
from personascan.study import opening
from personascan.study.case import seed_of
from personascan.study.config import StudyConfig
from personascan.study.opening import open_study

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope="module")
def identified_once():
    """A model is identified once, and not for every study that is opened."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "identify", functools.cache(opening.identify))
        yield


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(personas=("calm", "cold")), "persona 'cold' is not in"),
        (dict(personas=("calm", "calm")), "names one twice"),
        (dict(personas=3), "personas must be a list"),
        (dict(runs={"background": 23}), "calm: the 24 H0 rows cannot give 23 background"),
        (dict(runs={"positive": 24}), "calm: a sample of 24 of 24 H1"),
        (dict(runs={"clean": 1}), "calm: of half A of the rows, which chooses a place"),
        (
            dict(scan={"places": ("resid_post 9",)}),
            r"a place that this study does not search \('resid_post 9' is no place of this study;",
        ),
        (  # a share of the depth, which is known once the model is
            dict(layers=(0,), scan={"places": ("resid_post 100%",)}),
            r"'resid_post 100%' is no place.* --config\.scan\.places=\"\('chosen',\)\"$",
        ),
        (dict(where={"permutations": 0}), 'places has "chosen", which permutations choose'),
        (dict(where={"permutations": 9}), "config.where.permutations = 9; use 19"),
        (dict(where={"fold_permutations": 0}), "config.where.fold_permutations = 0; use 19"),
        (dict(where={"statistic": "mean"}), "config.where.statistic = 'mean'; use one of"),
        (dict(where={"family": "sidak"}), "config.where.family = 'sidak'; use one of"),
        (dict(where={"folds": 1}), "config.where.folds = 1; use at least 2"),
        (
            dict(layers=(3,), scan={"places": ("chosen",)}),
            "layer 3 is none of this model's, 0 to 2",
        ),
        (dict(layers=("half",)), "layer half is none of this model's"),
        (dict(layers=(1.0,)), r"config\.layers\.0 must be"),
        (dict(sites=("resid_post", "resid_post")), "name each site once"),
        (dict(positions=("all",)), "'all' has no row for each statement"),
        (dict(node_q=0.0), "config.node_q = 0.0"),
        (dict(scan={"alphas": "many"}), "use exact, grid, log or numbers"),
        (dict(scan={"score": "kl"}), "score 'kl' is unknown"),
        (dict(scan={"starts": "few"}), "use auto or a whole number"),
        (dict(scan={"starts": 3}), r"config\.scan\.starts must be a valid string"),
        (dict(scan={"layers": "best"}), r"config\.scan\.layers is unknown; fields: places"),
        (dict(levels=(3,)), "levels are 0, 1 and 2"),
        (dict(levels=(0,)), "nothing to compare 'moods'"),
        (dict(threshold=0.0), r"outside \(0, 1\]"),
        (dict(separation={"sample": 1.5}), "sample = 1.5"),
        (dict(separation={"probe_c": 0.0}), "probe_c = 0.0 is not positive"),
        (dict(runs=None), r"config\.runs must be an object"),
        (dict(seed=-1), "outside 0 to"),
        (dict(statements="nowhere"), "do not exist"),
        (dict(models=("nowhere",)), "is not a folder"),
    ],
)
def test_bad_configurations_are_one_clear_line(place, identified_once, changes, message):
    with pytest.raises(personascan.InputError, match=message) as caught:
        open_study(StudyConfig.from_dict(recipe(place, **changes)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(statements=pandas.DataFrame({"text": ["a"]})), r'DataFrame; .* df\.to_csv\("st'),
        (dict(statements=[{"text": "a"}]), r"is a list; .* write pandas\.DataFrame\(statements\)"),
        (dict(statements={"positive": ["a"]}), r"is a dict; .*load_statements\(\.\.\.\)\)\.to_csv"),
        (dict(statements="a", where={"folds": {1}}), r"^config\.where\.folds is a set, which no"),
    ],
)
def test_what_only_memory_holds_is_refused_by_its_field(changes, message):
    with pytest.raises(personascan.InputError, match=message):
        personascan.recipe(models="m", out="out", **changes)


def test_one_string_is_a_list_of_one_and_a_path_is_its_text():
    recipe = personascan.recipe(
        models="m", statements=pathlib.Path("a.csv"), out=pathlib.Path("out"), sites="resid_post",
        layers="50%", scan={"places": "resid_post 50%"}, seed=np.int64(3),
    )  # fmt: skip
    listed = personascan.recipe(
        models=("m",), statements="a.csv", out="out", sites=("resid_post",), layers=("50%",),
        scan={"places": ("resid_post 50%",)}, seed=3,
    )  # fmt: skip
    assert recipe == listed


def test_statements_in_memory_become_the_same_ones_in_a_file(tmp_path):
    given = personascan.load_statements({"positive": ["We, too."], "negative": ['Not "we".']})
    pandas.DataFrame(given).to_csv(tmp_path / "statements.csv", index=False)
    assert personascan.load_statements(tmp_path / "statements.csv") == given


def test_nothing_is_written_of_a_study_that_cannot_be(place):
    with pytest.raises(personascan.InputError, match="persona 'cold' is not in"):
        run_study(recipe(place, out="bad", personas=("calm", "cold")))
    assert not (place / "bad").exists()


def test_layers_are_numbers_or_shares_of_the_depth():
    def layers(chosen, count):
        return [p.layer for p in chosen_places(("resid_post",), count, chosen, ("last",))]

    assert layers(("0%", "50%", 9, "100%"), 31) == [0, 9, 15, 30]
    assert layers(("7%", "34%", "55%", "97%"), 30) == [2, 10, 16, 28]
    assert layers(("7%", "34%", "55%", "97%"), 3) == [0, 1, 2]
    assert layers((), 3) == [0, 1, 2]
    places = chosen_places(("resid_post", "final_norm"), 30, ("69%",), ("last",))
    assert named_place("resid_post 69%", places, 30) == Place("resid_post", 20, "last")
    assert named_place("final_norm last", places, 30) == Place("final_norm", 0, "last")


def test_comparisons_have_seeds_of_their_own():
    assert seed_of(0, "a") == seed_of(0, "a")
    assert len({seed_of(s, n) for s in (0, 1) for n in "ab"}) == 4


def recipe_of(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / f"configs/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return personascan.StudyConfig.from_dict(module.get_config().to_dict())


def test_the_demo_recipe_is_a_valid_configuration():
    config = recipe_of("demo")
    assert (config.runs.background, config.runs.clean, config.runs.positive) == (60, 20, 20)
    assert (config.runs.runs, config.scan.score, config.scan.tail) == (50, "bj", "signed")
    assert config.scan.options().alphas == "exact"
    assert pathlib.Path(config.statements) == ROOT / "data/statements"


def test_every_recipe_is_a_valid_configuration():
    names = {path.stem for path in (ROOT / "configs").glob("*.py")}
    assert names >= {"demo", "paper", "smollm2_paper", "sweep"}
    for name in names - {"own_network"}:  # which trains it: test_recipes has that
        config = recipe_of(name)
        assert config.out == f"out/{name}"
        text = (ROOT / f"configs/{name}.py").read_text()
        assert f"--config=configs/{name}.py" in text
    paper = recipe_of("paper")
    assert (len(paper.models), len(paper.personas), paper.levels) == (3, 14, (2, 1, 0))

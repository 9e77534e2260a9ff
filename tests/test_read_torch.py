"""Models on torch by hooks, beside our ports of the same files."""

import csv

import numpy as np
import pytest
import torch
from tiny_models import VARIANTS, save_tiny

import personascan
from personascan.models import verify
from personascan.sources.arrays import open_rows

SITES = ("resid_pre", "resid_post", "final_norm")
POSITIONS = ("last", "mean_statement", "first", -2)
TEXTS = ["I hope for rain.", "All is well, and so it goes on and on.", "No, not."]


def both(folder, variant: str):
    model_type, overrides = VARIANTS[variant]
    save_tiny(folder, model_type, **overrides)
    return personascan.load_model(str(folder), cache=False), verify.torch_model(folder)


@pytest.mark.parametrize("variant", ["llama grouped", "gpt_neox", "opt", "gemma2", "bert bare"])
def test_states_are_those_of_the_port(tmp_path, variant):
    ours, theirs = both(tmp_path, variant)
    places = [f"{site} {position}" for site in SITES for position in POSITIONS]
    theirs.train()
    found = personascan.read_torch(
        theirs, ours.tokenizer, TEXTS, places, batch_tokens=40, progress=False
    )
    assert theirs.training
    wanted = personascan.extract(ours, TEXTS, sites=SITES, positions=POSITIONS, progress=False)
    assert set(found) == set(wanted)
    for place in wanted:
        error = np.abs(found[place] - wanted[place]).max()
        assert error <= 1e-5 * np.abs(wanted[place]).max(), place
    assert not any(module._forward_hooks for module in theirs.modules())


def test_every_token_of_some_layers(tmp_path):
    ours, theirs = both(tmp_path, "llama grouped")
    found = personascan.read_torch(
        theirs, ours.tokenizer, TEXTS, ["resid_post 50% all"], progress=False
    )
    runs = ours.run(TEXTS, ["resid_post 50%"], options=personascan.PromptOptions(), progress=False)
    np.testing.assert_allclose(
        found["resid_post 50%"], runs.activations["resid_post 50%"], rtol=1e-4, atol=1e-5
    )
    again = personascan.read_torch(
        theirs, ours.tokenizer, TEXTS, ["resid_post 1 all"], blocks="model.layers", progress=False
    )
    np.testing.assert_array_equal(found["resid_post 1"], again["resid_post 1"])


@pytest.mark.parametrize(
    ("places", "options", "message"),
    [
        (["attn_out 1"], {}, "site 'attn_out' is unknown here; there are resid_pre, resid_post"),
        (["resid_post 9"], {}, "layer 9 is none"),
        (["resid_post 0 last", "resid_post 1 mean"], {}, "differ between positions"),
        (["resid_post"], {"blocks": "layers"}, "'layers' is no list of modules; there are model"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, places, options, message):
    ours, theirs = both(tmp_path, "llama grouped")
    with pytest.raises(personascan.InputError, match=message):
        personascan.read_torch(theirs, ours.tokenizer, TEXTS, places, progress=False, **options)


def test_two_lists_of_that_many_modules_are_asked_about(tmp_path):
    ours, theirs = both(tmp_path, "llama grouped")
    theirs.more = torch.nn.ModuleList([torch.nn.Identity() for _ in theirs.model.layers])
    with pytest.raises(personascan.InputError, match="2 lists of 3 modules"):
        personascan.read_torch(theirs, ours.tokenizer, TEXTS, progress=False)


def test_a_state_that_is_not_finite_is_named(tmp_path):
    ours, theirs = both(tmp_path, "llama grouped")
    with torch.no_grad():
        theirs.model.layers[2].mlp.down_proj.weight[4] = torch.inf
    with pytest.raises(personascan.InputError, match="resid_post 2, node 4 is"):
        personascan.read_torch(theirs, ours.tokenizer, TEXTS, ["resid_post 2"], progress=False)


def test_rows_of_texts_keep_their_texts(tmp_path):
    rows_ND = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    positive_N = np.array([True, False, True, False])
    folder = personascan.write_rows(tmp_path / "a", {"x": rows_ND}, positive_N, texts=list("abcd"))
    source = open_rows(folder)
    assert source.texts
    assert [row.text for row in source.groups["positive"]] == list("abcd")
    bare = open_rows(personascan.write_rows(tmp_path / "b", {"x": rows_ND}, positive_N))
    assert not bare.texts
    assert "texts" not in (tmp_path / "b/rows.json").read_text()
    for texts, message in ((["a"], "1 entries for 4"), (["a", None, "b", "c"], "no entry for row")):
        with pytest.raises(personascan.InputError, match=message):
            personascan.write_rows(tmp_path / "c", {"x": rows_ND}, positive_N, texts=texts)


@pytest.mark.slow
def test_the_same_study_runs_on_a_model_that_is_read_through_torch(tmp_path):
    """Words differ between directions, and so do a random model's activations."""
    (tmp_path / "model").mkdir()
    ours, theirs = both(tmp_path / "model", "llama grouped")
    hope, fear = ("I hope it is day", "I love"), ("We fear night", "No one")
    texts = {
        "positive": [f"{hope[i % 2]} {i}." for i in range(30)],
        "negative": [f"{fear[i % 2]} {i}!" for i in range(30)],
    }
    statements = personascan.load_statements(texts)
    positive_N = np.array([s.positive for s in statements])
    z = {}
    for name, activations in (
        ("torch", personascan.read_torch(theirs, ours.tokenizer, statements, progress=False)),
        ("port", personascan.extract(ours, statements, progress=False)),
    ):
        rows = personascan.write_rows(
            tmp_path / f"rows_{name}", activations, positive_N, network="model", groups="hope",
            ids=[s.id for s in statements], texts=[s.text for s in statements], rows="statements",
        )  # fmt: skip
        config = personascan.recipe(
            rows=(rows,), out=str(tmp_path / name),
            where={"permutations": 99, "fold_permutations": 19},
            separation={"seeds": 1, "folds": 3},
            runs={"background": 10, "clean": 4, "positive": 4, "runs": 3}, detection={"splits": 2},
        )  # fmt: skip
        personascan.run_study(config, jobs=1)
        with (tmp_path / name / "places.csv").open() as file:
            z[name] = [float(row["z"]) for row in csv.DictReader(file)]
        with (tmp_path / name / "findings.csv").open() as file:
            assert float(next(csv.DictReader(file))["words_auroc"]) > 0.9
    np.testing.assert_allclose(z["torch"], z["port"], rtol=1e-3)
    assert max(z["port"]) > 4

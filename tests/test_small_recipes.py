"""The recipes of facts and of molecules at a small size, with tiny models."""

import csv
import pathlib

import numpy as np
import pytest
from test_recipes import ROOT, recipe_of
from tiny_encoders import ATOMS, save_tiny_encoder
from tiny_models import save_tiny_llama
from tiny_studies import run_study

from personascan.models.smiles import write_smiles_tokenizer
from personascan.sources.language.molecules import CALIPER

pytestmark = pytest.mark.slow
SMALL = {
    "limit": 24,
    "layers": (),
    "separation": {"seeds": 1, "folds": 3},
    "runs": {"background": 10, "clean": 4, "positive": 4, "runs": 6},
    "validation": {"random_sets": 3, "shuffles": 2},
}
SCAN = {"starts": "2"}


def small(name, out, models, **changes):
    """A recipe of configs/ with tiny models and sizes."""
    config = recipe_of(ROOT / f"configs/{name}.py").get_config().to_dict()
    changes = SMALL | {"scan": SCAN, "models": tuple(map(str, models)), "out": str(out)} | changes
    for key, value in changes.items():
        config[key] = config[key] | value if isinstance(value, dict) else value
    return config


def table(study, name):
    with (pathlib.Path(study.config.out) / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("facts")
    save_tiny_llama(folder / "decoder")
    save_tiny_encoder(folder / "encoder", tokens=list("abcdefghijklmnopqrstuvwxyz."))
    models = folder / "decoder", folder / "encoder"
    tails = ("two", "either")
    return run_study(
        small(
            "hallucination", folder / "out", models, personas=("capitals", "elements"), limit=100,
            positions=("last",),
            scan=SCAN | {"places": ("resid_post 0",), "tails": tails, "permutations": 9},
            detection={"tails": tails},
        )
    )  # fmt: skip


def test_facts_are_scanned_in_every_tail_in_both_networks(facts):
    found = {(r["model"], r["comparison"], r["tail"]) for r in table(facts, "tails")}
    tails = ("signed", "two", "either")
    assert found == {
        (model, topic, tail)
        for model in facts.config.models
        for topic in ("capitals", "elements")
        for tail in tails
    }
    alone = {r["tail"] for r in table(facts, "detection") if r["method"] == "scan"}
    assert alone == set(tails)


def test_a_decoder_is_set_beside_an_encoder_and_yardsticks(facts):
    decoder, encoder = facts.config.models
    rows = table(facts, "differences")
    assert {(r["model"], r["other_model"]) for r in rows} == {(encoder, decoder)}
    assert all(float(r["difference_low"]) <= float(r["difference_high"]) for r in rows)
    assert {r["comparison"] for r in table(facts, "transfer")} == {"capitals", "elements"}
    methods = {(r["model"], r["method"]) for r in table(facts, "detection")}
    assert (decoder, "low log-likelihood") in methods
    assert (encoder, "low log-likelihood") not in methods
    assert {(m, "characters") for m in facts.config.models} <= methods


@pytest.fixture(scope="module")
def molecules(tmp_path_factory):
    folder = tmp_path_factory.mktemp("molecules")
    save_tiny_encoder(folder / "encoder", tokens=ATOMS)
    write_smiles_tokenizer(folder / "encoder/vocab.txt", folder / "encoder")
    properties = ("solubility", "approved")
    models = (folder / "encoder",)
    return run_study(small("molecules", folder / "out", models, personas=properties))


def test_molecules_are_matched_in_length(molecules):
    for ids in molecules.part.pool_ids.values():
        assert len(ids) == 48
    for examples in molecules.part.source.groups.values():
        lengths = [sorted(len(e.text) for e in examples if e.positive == side) for side in (0, 1)]
        assert len(lengths[0]) == len(lengths[1]) >= 24
        assert np.abs(np.subtract(*lengths)).max() <= CALIPER


def test_a_selected_quarter_is_set_beside_random_quarters(molecules):
    rows = table(molecules, "validation")
    assert {r["comparison"] for r in rows} == {"solubility", "approved"}
    assert {r["model"] for r in rows} == set(molecules.config.models)
    sizes = [r["value"] for r in rows if (r["method"], r["metric"]) == ("found nodes", "nodes")]
    assert set(sizes) == {"8"}  # of 32
    assert {"random nodes", "all nodes"} <= {r["method"] for r in rows}

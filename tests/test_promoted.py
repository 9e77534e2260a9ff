"""Tokens that a direction promotes, beside directions of chance."""

import csv
import pathlib
from types import SimpleNamespace

import numpy as np
import pytest
from tiny_models import VARIANTS, save_tiny, save_tiny_llama
from tiny_studies import recipe, run_study

import personascan
from personascan.interventions.token_answers import vectors_of
from personascan.places import Place
from personascan.sources.language.statements import Statement
from personascan.sources.language.templates import PromptOptions
from personascan.study.stages import promoted
from personascan.study.stages.where import LabelledRows, labellings_of
from personascan.study.token_options import TokenOptions

OPTIONS = TokenOptions(promoted=6, draws=99)
ROWS = 40


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_tiny_llama(folder)
    return personascan.load_model(str(folder))


def labelled(groups=None):
    return LabelledRows(np.arange(ROWS), np.arange(ROWS) % 2 == 0, None, groups)


def noise(width, seed=0):
    return np.random.default_rng(seed).normal(size=(ROWS, width)).astype(np.float32)


def listed(model, place_ND, find=None, site="final_norm", seed=0):
    """The two lists of rows at a site, as a unit gives them and as a study reads them."""
    reader = SimpleNamespace(
        model=lambda: model, options=PromptOptions(role="none"), batch_tokens=128
    )
    rows, place = SimpleNamespace(array=lambda: place_ND), Place(site, 0, "last")
    read = tuple(Statement(str(i), f"I am {i}", "p", "", False, 1.0, "") for i in range(3))
    values, arrays = promoted.do(reader, rows, place, find or labelled(), read, OPTIONS, seed)
    case = SimpleNamespace(read=lambda work: SimpleNamespace(values=values, arrays=arrays))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(promoted, "work", lambda case, at: None)
        return promoted.promoted(case, SimpleNamespace(place=place)).ends


def head(model):
    return np.asarray(model.params["lm_head"], np.float64)


def test_the_numbers_are_those_of_numpy(model):
    place_ND = noise(model.config.width)
    ends = listed(model, place_ND)
    positive = labelled().positive_N
    difference_D = place_ND[positive].mean(0, dtype=float) - place_ND[~positive].mean(
        0, dtype=float
    )
    own_D = difference_D / np.linalg.norm(difference_D)
    own_D *= (place_ND[~positive].astype(float) @ own_D).std()
    expected_V = own_D @ head(model)
    expected_V -= expected_V.mean()
    # Random directions of a length l have deviation l |u| / sqrt(D) on an unembedding u.
    centred_DV = head(model) - head(model).mean(1, keepdims=True)
    spread_V = np.linalg.norm(own_D) * np.linalg.norm(centred_DV, axis=0)
    spread_V /= np.sqrt(model.config.width)
    for end, sign in (("promoted", 1), ("suppressed", -1)):
        one = ends[end]
        assert len(one.tokens) == OPTIONS.promoted
        assert one.logits == pytest.approx(expected_V[list(one.tokens)], abs=1e-5)
        assert (np.diff(sign * np.array(one.z)) <= 0).all()
        # 99 draws know a deviation to 7%.
        assert one.z == pytest.approx((expected_V / spread_V)[list(one.tokens)], rel=0.3)
        assert one.pieces == tuple(model.tokenizer.decode([t]) for t in one.tokens)


def test_a_planted_token_leads_and_passes_chance(model):
    place_ND = noise(model.config.width)
    place_ND[::2] += 20 * head(model)[:, 99].astype(np.float32)
    ends = listed(model, place_ND)
    assert ends["promoted"].tokens[0] == 99
    assert ends["promoted"].p("random") == ends["promoted"].p("shuffled") == 0.01
    assert ends["promoted"].z[0] > ends["promoted"].usual("random")
    turned = listed(model, -place_ND)
    assert turned["suppressed"].tokens[0] == 99
    assert turned["suppressed"].p("shuffled") == 0.01


def test_noise_is_known_as_such(model):
    """Of 40 lists of rows without a difference about two have a p of 0.05; 7 have one in 500."""
    p = [
        one.p("shuffled")
        for seed in range(20)
        for one in listed(model, noise(model.config.width, seed), seed=seed).values()
    ]
    assert sum(value <= 0.05 for value in p) <= 6
    assert 0.3 < np.mean(p) < 0.7


def test_within_pairs_what_differs_between_them_has_no_part(model):
    """The mean of H1 less that of H0, pair by pair: a shift of whole pairs changes nothing."""
    pairs_N = np.arange(ROWS) // 2
    place_ND = noise(model.config.width)
    shifted_ND = place_ND + 5 * np.repeat(noise(model.config.width, 1)[: ROWS // 2], 2, axis=0)
    positive_N, labels = labelled().positive_N, labellings_of(labelled(pairs_N), 99, 0)
    a, b = (
        vectors_of(one_ND, positive_N, labels.contrasts_NT, 99, 0)
        for one_ND in (place_ND, shifted_ND)
    )
    unit_a, unit_b = (one["own"][0] / np.linalg.norm(one["own"]) for one in (a, b))
    assert unit_a == pytest.approx(unit_b, abs=1e-5)
    length = np.linalg.norm(a["own"])
    for kind in ("shuffled", "random", "spread"):
        assert np.linalg.norm(a[kind], axis=1) == pytest.approx(np.full(len(a[kind]), length))
    assert not np.allclose(a["random"][0], a["spread"][0])


def test_constant_rows_write_nothing(model):
    for value in (1, 0.1):  # the mean of the latter is rounded
        assert listed(model, np.full((ROWS, model.config.width), value, np.float32)) == {}


@pytest.mark.parametrize("name", ["llama multi-query, tied", "gemma2", "gpt2"])
def test_a_direction_in_the_stream_goes_through_the_final_norm(tmp_path, name):
    """Steering the last block's output by a little changes the model's own logits as is said."""
    import jax.numpy as jnp

    from personascan.models import layers
    from personascan.models.unembedding import logit_changes, stream_lengths, through_final_norm

    model_type, overrides = VARIANTS[name]
    save_tiny(tmp_path, model_type, **overrides)
    model = personascan.load_model(str(tmp_path))
    config, rng = model.config, np.random.default_rng(0)
    row_D = 3 * rng.normal(size=config.width)
    change_D, little = rng.normal(size=config.width), 1e-2
    centred_D = row_D - row_D.mean() if config.norm == "layer" else row_D
    change_D -= centred_D * (change_D @ centred_D) / (centred_D @ centred_D)
    decoder = model.decoder()

    def logits(stream_D):
        normed = layers.normalize(
            jnp.asarray(stream_D, jnp.float32)[None], config.norm, config.norm_eps, (-1,),
            model.params["final_norm"], model.params.get("final_norm_bias"),
        )  # fmt: skip
        found_V = decoder.apply({"params": model.params}, normed, method="logits")[0]
        found_V = np.asarray(found_V, np.float64)
        cap = config.logit_softcap
        return cap * np.arctanh(found_V / cap) if cap else found_V

    steered_V = logits(row_D + little * change_D) - logits(row_D - little * change_D)
    (length,) = stream_lengths(config, row_D[None])
    (said_1V,) = logit_changes(model, through_final_norm(model, change_D[None], length))
    scale = np.abs(said_1V).max()
    np.testing.assert_allclose(steered_V / (2 * little), said_1V[0], atol=0.02 * scale)


def test_a_study_lists_them(study, place):
    with (pathlib.Path(study.config.out) / "promoted.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(study.part.scans) * 2 * study.config.tokens.promoted
    for row in rows:
        assert (float(row["logit"]) > 0) == (row["end"] == "promoted")
        assert 0 < float(row["p_random"]) <= 1
        assert float(row["random_95"]) > 0
    page = (pathlib.Path(study.config.out) / "report.html").read_text(encoding="utf-8")
    assert "What the direction writes" in page
    status = personascan.study_status(recipe(place), jobs=1)
    assert (status.kinds["promoted"].done, status.kinds["promoted"].total) == (2, 2)


@pytest.mark.slow
def test_sites_in_other_coordinates_and_encoders_have_none(place):
    heads = run_study(
        recipe(place, out="of_heads", sites=("head_out",), scan={"places": ("chosen",)})
    )
    assert heads.part.promoted == {}
    assert set(heads.part.tokens) == set(heads.part.scans)
    model_type, overrides = VARIANTS["bert"]
    save_tiny(place / "bert", model_type, **overrides)
    encoder = run_study(recipe(place, out="of_encoder", models=(str(place / "bert"),)))
    assert encoder.part.promoted == {}
    assert set(encoder.part.tokens) == set(encoder.part.scans)
    assert (
        "promoted"
        not in personascan.study_status(recipe(place, models=(str(place / "bert"),)), jobs=1).kinds
    )

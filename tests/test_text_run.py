"""Any text through a model: its tokens with activations and logits, and what is written."""

import numpy as np
import pytest
from tiny_models import VARIANTS, save_tiny, save_tiny_llama

import personascan
from personascan.interventions.continuations import text_prompts

TEXTS = ["I hope.", "No rain, and so it goes"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_tiny_llama(folder)
    return personascan.load_model(str(folder), cache=False)


def test_a_run_has_what_extraction_and_the_head_give(model, tmp_path):
    runs = model.run(TEXTS, ["resid_post", "final_norm"], logits=True, progress=False)
    folder = personascan.extract(
        model, TEXTS, sites=("resid_post", "final_norm"), positions=("all",), role="none",
        out=tmp_path / "all", progress=False,
    )  # fmt: skip
    assert len(runs) == 2
    for number, run in enumerate(runs):
        span = slice(*folder.offsets[number : number + 2])
        assert "".join(run.tokens) == run.text == TEXTS[number]
        assert len(run.token_ids) == len(run.tokens) == len(run)
        for place in folder:
            np.testing.assert_array_equal(run[place], folder[place][span])
        hidden_1TD = run["final_norm"][None]
        logits = model.decoder().apply({"params": model.params}, hidden_1TD, method="logits")[0]
        np.testing.assert_allclose(run.logits, logits, atol=1e-5)
    likeliest = int(runs[0].logits[-1].argmax())
    prompt = personascan.tokenize(model.tokenizer, [statement(TEXTS[0])], "none", 100)
    written = personascan.generate(model, prompt, personascan.Writing(1), stop=())
    assert written == [[likeliest]]


def statement(text):
    return personascan.Statement("1", text, "", "", True, 1.0, "")


def test_chosen_layers_are_those_of_all(model):
    every = model.run(TEXTS, progress=False)[1]
    assert every.logits is None
    half = model.run(TEXTS[1], ["resid_post 50%", personascan.Place("attn_out", 1, "all")])
    assert [str(place) for place in half.activations] == ["resid_post 1, all", "attn_out 1, all"]
    np.testing.assert_allclose(half[0]["resid_post 50%"], every["resid_post 1"], atol=1e-6)
    frame = half[0].to_frame("attn_out 1")
    assert list(frame["token"]) == half[0].tokens
    assert frame.shape == (len(half[0]), 2 + model.config.width)
    assert repr(half[0]).startswith(f"TextRun({len(half[0])} tokens at 2 places: N|o| |r")
    assert "<table" in half[0]._repr_html_()


@pytest.mark.parametrize(
    ("texts", "places", "message"),
    [
        ([], ["resid_post"], "there are no texts"),
        ([""], ["resid_post"], "text 1 is ''"),
        ("x", "resid_post", "places must be a list"),
        ("x", ["resid"], "site 'resid' is unknown"),
        ("x", ["resid_post 9"], "layer 9 is none of this model's"),
        ("x", ["resid_post 1 last"], "run keeps every token"),
        ("x", ["resid_post 1 2 3"], "is no place of a model"),
        ("x", [3], "3 is no place of a model"),
        (3, ["resid_post"], "the texts must be a list"),
    ],
)
def test_what_cannot_be_run_is_refused(model, texts, places, message):
    with pytest.raises(personascan.InputError, match=message):
        model.run(texts, places, progress=False)


def test_an_encoder_has_no_logits(tmp_path):
    save_tiny(tmp_path, "bert", **VARIANTS["bert bare"][1])
    encoder = personascan.load_model(str(tmp_path), cache=False)
    assert len(encoder.run("I hope.", progress=False)[0]) > 5
    with pytest.raises(personascan.InputError, match="encoder predicts no next token"):
        encoder.run("I hope.", logits=True, progress=False)


def test_extraction_of_chosen_layers_is_part_of_all(model, tmp_path):
    every = personascan.extract(model, TEXTS, progress=False)
    for out in (None, tmp_path / "a"):
        some = personascan.extract(model, TEXTS, layers=[2, "0%"], out=out, progress=False)
        assert [place.layer for place in some] == [0, 2] == some.layers("resid_post")
        for place in some:
            np.testing.assert_array_equal(some[place], every[place])
        np.testing.assert_array_equal(some["resid_post 100%"], every["resid_post 2"])
        with pytest.raises(personascan.InputError, match="resid_post has the layers 0, 2"):
            some[personascan.Place("resid_post", 1, "last")]
    some.save(tmp_path / "b.npz")
    again = personascan.Activations.load(tmp_path / "b.npz")
    assert list(again) == list(some)
    np.testing.assert_array_equal(again["resid_post 100%"], every["resid_post 2"])
    frame = some.to_frame("resid_post 2")
    assert list(frame.index) == ["text 1", "text 2"]
    np.testing.assert_array_equal(frame.to_numpy(), every["resid_post 2"])
    with pytest.raises(personascan.InputError, match="layer 7 is none"):
        personascan.extract(model, TEXTS, layers=[7], progress=False)
    with pytest.raises(personascan.InputError, match="layers must be a sequence"):
        personascan.extract(model, TEXTS, layers="50%", progress=False)


@pytest.mark.slow
def test_texts_are_written_as_steering_writes_them(model):
    writing = personascan.Writing(6)
    shift_D = np.random.default_rng(0).normal(size=model.config.width).astype(np.float32)
    direction = personascan.Direction("d", {("resid_post", 1): 4 * shift_D})
    steered = personascan.steered_texts(model, direction, TEXTS, [0, 1, -2], writing)
    free = personascan.generate(model, TEXTS, writing)
    assert free == [texts[0] for texts in steered]
    assert personascan.generate(model, TEXTS[0], writing) == free[0]
    pushed = personascan.generate(model, TEXTS, writing, edits=direction)
    assert pushed == [texts[1] for texts in steered] != free
    back = personascan.generate(model, TEXTS, writing, edits=-direction * 2)
    assert back == [texts[2] for texts in steered]
    prompts = text_prompts(model, TEXTS, None)
    tokens = personascan.generate(model, prompts, writing, edits=direction)
    assert [len(ids) for ids in tokens] == [6, 6]
    with pytest.raises(personascan.InputError, match="edits must be a Direction"):
        personascan.generate(model, TEXTS, writing, edits=shift_D)
    wrong = personascan.Direction("d", {("resid_post", 1): shift_D[:3]})
    with pytest.raises(personascan.InputError, match="the direction"):
        personascan.generate(model, TEXTS, writing, edits=wrong)
    with pytest.raises(personascan.InputError, match="text 1 is 3"):
        personascan.generate(model, [3], writing)


def test_the_direction_of_located_places_is_the_difference_of_means(model):
    statements = personascan.load_statements({"positive": TEXTS * 8, "negative": ["a b", "No"] * 8})
    activations = personascan.extract(model, statements, progress=False)
    positive = [s.positive for s in statements]
    found = personascan.locate(activations, positive, permutations=99)
    place, up_N = found.best_key, np.array(positive)
    difference_D = activations[place][up_N].mean(0) - activations[place][~up_N].mean(0)
    direction = found.direction()
    assert list(direction.shift) == [(place.site, place.layer)]
    np.testing.assert_allclose(direction.shift[place.site, place.layer], difference_D, atol=1e-5)
    few = found.direction("resid_post 50%", nodes=[3, 5]).shift["resid_post", 1]
    assert list(np.flatnonzero(few)) == [3, 5]
    np.testing.assert_array_equal(
        (2 * direction).shift[place.site, place.layer], 2 * direction.shift[place.site, place.layer]
    )
    assert "resid_post" in repr(direction)
    bare = personascan.locate({"a": activations[place]}, positive, permutations=99)
    with pytest.raises(personascan.InputError, match="names no place of a language model"):
        bare.direction()
    with pytest.raises(personascan.InputError, match="would not be finite"):
        1e39 * direction


def test_held_out_rows_are_scored_by_the_readout_of_a_place(model):
    numbers = range(12)
    texts = {
        "positive": [f"I hope {i}" for i in numbers],
        "negative": [f"No {i}!" for i in numbers],
    }
    statements = personascan.load_statements(texts)
    positive = np.array([s.positive for s in statements])
    activations = personascan.extract(model, statements, progress=False)
    train = np.arange(24) % 2 == 0
    used = {place: rows[train] for place, rows in activations.items()}
    held_out = {place: rows[~train] for place, rows in activations.items()}
    found = personascan.locate(used, positive[train], permutations=99)
    scores = found.scores(held_out)
    np.testing.assert_allclose(scores, held_out[found.best_key] @ found.nodes().readout, rtol=1e-5)
    np.testing.assert_allclose(found.scores(held_out[found.best_key]), scores)
    assert scores[positive[~train]].min() > scores[~positive[~train]].max()
    with pytest.raises(personascan.InputError, match="rows has 3 nodes"):
        found.scores(np.ones((2, 3)))


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([0, 1] * 24, "looks like a mask of whole numbers"),
        ([1000], "numbers from 0 to 47"),
        ([-1], "numbers from 0 to 47"),
        ([0.5], "whole numbers or 48 bools"),
        ([], "no nodes are left"),
        ([True, False], "whole numbers or 48 bools"),
    ],
)
def test_nodes_are_numbers_or_a_mask_of_bools(model, nodes, message):
    statements = personascan.load_statements({"positive": TEXTS * 4, "negative": ["a b", "No"] * 4})
    activations = personascan.extract(model, statements, progress=False)
    found = personascan.locate(activations, [s.positive for s in statements], permutations=99)
    with pytest.raises(personascan.InputError, match=message):
        found.direction(nodes=nodes)
    if len(nodes):
        with pytest.raises(personascan.InputError, match=message):
            found.nodes().at_least(nodes)
    assert found.nodes().at_least(np.ones(48, bool)) == found.nodes().at_least()

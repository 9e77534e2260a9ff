"""Texts that are drawn: by row and seed alone, each token as often as it should be."""

import dataclasses

import jax
import numpy as np
import pytest
from tiny_edits import prompts_of
from tiny_writing import SAMPLED, made_pair, theirs_logits

from personascan.sources.language.decoding import next_tokens
from personascan.sources.language.generate import Writing, write_tokens


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return made_pair(tmp_path_factory.mktemp("generate"))


@pytest.mark.slow
def test_a_draw_depends_on_the_number_of_its_row_alone(pair):
    """Not on what shares its batch, nor on the size of batches."""
    model, _ = pair
    prompts = prompts_of(model.config.vocab_size, (10, 7, 10, 9, 8, 10))
    found = write_tokens(model, prompts, SAMPLED, stop=())
    assert write_tokens(model, prompts, SAMPLED, stop=(), batch_tokens=80) == found
    assert write_tokens(model, prompts[:2], SAMPLED, stop=()) == found[:2]
    others = prompts_of(model.config.vocab_size, (7,) * 5)
    assert write_tokens(model, [*others, prompts[5]], SAMPLED, stop=())[5] == found[5]
    same = write_tokens(model, [prompts[2]] * 6, SAMPLED, stop=())
    assert len(set(map(tuple, same))) == 6  # rows of one prompt are drawn apart


def test_a_seed_names_a_text(pair):
    model, _ = pair
    prompts = prompts_of(model.config.vocab_size)
    texts = [
        write_tokens(model, prompts, dataclasses.replace(SAMPLED, seed=s), stop=())
        for s in (0, 0, 1)
    ]
    assert texts[0] == texts[1]
    assert all(a != b for a, b in zip(texts[0], texts[2], strict=True))


draw = jax.jit(next_tokens, static_argnames="writing")


@pytest.mark.parametrize("given", [dict(top_k=1), dict(top_p=1e-6)])
def test_samples_of_one_token_are_greedy(given):
    logits_BV = np.random.default_rng(0).normal(size=(50, 259)).astype(np.float32)
    found_B = draw(logits_BV, np.arange(50), 3, jax.random.key(0), Writing(1, 1.7, **given))
    np.testing.assert_array_equal(found_B, np.argmax(logits_BV, axis=-1))


def shares(logits_V, writing):
    """What each token is drawn with: a loop over the likeliest, in float64."""
    order = np.argsort(-logits_V, kind="stable")
    weight_V = np.exp((logits_V - logits_V.max()) / writing.temperature)
    if writing.top_k:
        weight_V[order[writing.top_k :]] = 0
    weight_V /= weight_V.sum()
    total, nucleus = 0.0, np.zeros(len(order), bool)
    for token in order:
        if total >= writing.top_p:
            break
        nucleus[token] = True
        total += weight_V[token]
    return np.where(nucleus, weight_V, 0) / weight_V[nucleus].sum()


def check_shares(tokens, logits_V, writing):
    """Drawn tokens are as often there as their probabilities say."""
    expected_V = shares(logits_V, writing) * len(tokens)
    counted_V = np.bincount(tokens, minlength=len(expected_V))
    assert not counted_V[expected_V == 0].any()
    often = expected_V >= 5
    expected = np.append(expected_V[often], expected_V[~often].sum())
    counted = np.append(counted_V[often], counted_V[~often].sum())
    assert often.sum() >= 3
    chi2 = ((counted - expected) ** 2 / np.maximum(expected, 1)).sum()
    degrees = len(expected) - 1
    assert chi2 <= degrees + 4 * np.sqrt(2 * degrees)


WRITINGS = {
    "all": Writing(2, temperature=0.4), "top_k": Writing(2, temperature=1.0, top_k=7),
    "top_p": Writing(2, temperature=0.4, top_p=0.6),
    "both": Writing(2, temperature=0.5, top_k=50, top_p=0.8),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITINGS)
def test_tokens_are_drawn_as_often_as_they_should(pair, name):
    """2000 rows of one prompt, at two steps."""
    model, theirs = pair
    (prompt,) = prompts_of(model.config.vocab_size, (8,))
    logits_V = theirs_logits(theirs, prompt.ids)
    logits_BV = np.tile(logits_V.astype(np.float32), (2000, 1))
    seed = jax.random.key(list(WRITINGS).index(name))
    first, second = (
        np.asarray(draw(logits_BV, np.arange(2000), step, seed, WRITINGS[name])) for step in (0, 1)
    )
    assert (first != second).any()
    for tokens in (first, second):
        check_shares(tokens, logits_V, WRITINGS[name])


def test_texts_are_drawn_as_often_as_they_should(pair):
    """2000 rows of one prompt: the first token, and the second behind the likeliest first."""
    model, theirs = pair
    writing = dataclasses.replace(WRITINGS["both"], seed=3)
    (prompt,) = prompts_of(model.config.vocab_size, (8,))
    drawn_NG = np.array(write_tokens(model, [prompt] * 2000, writing, stop=()))
    likeliest = np.bincount(drawn_NG[:, 0]).argmax()
    check_shares(drawn_NG[:, 0], theirs_logits(theirs, prompt.ids), writing)
    behind = drawn_NG[drawn_NG[:, 0] == likeliest, 1]
    check_shares(behind, theirs_logits(theirs, [*prompt.ids, likeliest]), writing)

"""Rows that are written: by their own number alone, merged as others end, behind shared tokens."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_edits import prompts_of
from tiny_writing import SAMPLED, made

import personascan
from personascan.models import layers
from personascan.sources.language import decoding, generate, sizes
from personascan.sources.language.batches import plan_batches
from personascan.sources.language.decoding import Choosing, PromptRows, begin_rows
from personascan.sources.language.generate import Writing, write_continuations, write_tokens


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return made(tmp_path_factory.mktemp("rows"), "llama grouped")


def longer(prompts, ids):
    """The same prompts behind some tokens."""
    return [dataclasses.replace(p, ids=[*ids, *p.ids]) for p in prompts]


@pytest.mark.parametrize("writing", [Writing(30), SAMPLED], ids=["greedy", "sampled"])
def test_a_row_is_written_by_its_own_number(model, writing):
    """Alone, and among others in another order."""
    prompts = prompts_of(model.config.vocab_size, (10, 8, 9, 6))
    draws = np.array([70, 3, 2_000_000_000, 5])
    found = write_tokens(model, prompts, writing, stop=(), draws=draws)
    order = [2, 0, 3, 1]
    mixed = write_tokens(model, [prompts[n] for n in order], writing, stop=(), draws=draws[order])
    assert mixed == [found[n] for n in order]
    assert write_tokens(model, prompts[2:3], writing, stop=(), draws=draws[2:3]) == found[2:3]
    usual = write_tokens(model, prompts, writing, stop=())
    assert usual == write_tokens(model, prompts, writing, stop=(), draws=range(4))
    assert (usual == found) == (writing.temperature == 0)


@pytest.mark.parametrize("draws", [[1], [1, 2.5], [[1, 2]], [1, -1], [1, 2**31], ["a", "b"]])
def test_draws_are_a_whole_number_for_each_prompt(model, draws):
    with pytest.raises(personascan.InputError, match="draws must be") as refusal:
        write_tokens(model, prompts_of(99), Writing(3), draws=draws)
    assert "\n" not in str(refusal.value)


@pytest.mark.slow
def test_rows_are_merged_as_others_end(model, monkeypatch):
    """Three batches of two rows; it is looked every four steps, and texts are those without."""
    prompts = prompts_of(model.config.vocab_size, (10, 8, 9, 10, 8, 9))
    free = write_tokens(model, prompts, Writing(30), stop=())
    stop = (free[0][2], free[3][5], free[4][20])
    ends = [next((i + 1 for i, t in enumerate(row) if t in stop), 30) for row in free]
    assert len(set(ends)) > 2
    expected = [
        ([*row[:end]], "stop" if row[end - 1] in stop else "length")
        for row, end in zip(free, ends, strict=True)
    ]
    merged = []
    merge_rows = generate.merge_rows
    monkeypatch.setattr(generate, "merge_rows", lambda *a: merged.append(1) or merge_rows(*a))
    monkeypatch.setattr(generate, "STEPS", 4)
    assert write_continuations(model, prompts, Writing(30), stop=stop, batch_tokens=80) == expected
    assert merged


def test_parts_with_room_take_in_the_rows_of_others(monkeypatch):
    """The rows that go on are each in one batch, at the place of their number."""
    monkeypatch.setattr(generate, "merge_rows", lambda a, b, source: np.concatenate([a, b])[source])
    numbers = [np.array([-1, 4, -1]), np.array([7, -1, 9]), np.array([-1, -1, 2])]
    parts = [(numbers_B.copy(), numbers_B) for numbers_B in numbers]
    merged = generate.merge_parts(parts)
    assert len(merged) == 2
    for rows, kept in merged:
        np.testing.assert_array_equal(rows[kept >= 0], kept[kept >= 0])
    assert sorted(np.concatenate([kept for _, kept in merged])) == [-1, -1, 2, 4, 7, 9]


def test_tokens_that_all_rows_share_are_read_once(model, monkeypatch):
    """The same texts, the same keys and values to 1e-5 as if each row read its own."""
    (instruction,) = prompts_of(model.config.vocab_size, (43,))
    prompts = longer(prompts_of(model.config.vocab_size, (10, 8, 9, 6)), instruction.ids)
    (batch,) = plan_batches(prompts, 4096, pad=0, room=30)
    assert generate.shared_tokens(model, batch) == 0  # too few to pay
    monkeypatch.setattr(generate, "LEAST_SHARED", 100)
    assert generate.shared_tokens(model, batch) == 40
    own = prompts_of(model.config.vocab_size, (50, 51, 48, 46))
    assert generate.shared_tokens(model, plan_batches(own, 4096, pad=0)[0]) == 0
    choosing = Choosing(jax.random.key(0), np.array([-1], np.int32))
    rows = PromptRows(batch.tokens_BT, batch.lengths_B, batch.lengths_B, batch.lengths_B > 0)
    chosen = dict(decoder=model.decoder(), writing=Writing(30))
    apart, once = (
        begin_rows(model.params, rows, choosing, None, shared=n, **chosen) for n in (0, 40)
    )
    np.testing.assert_array_equal(apart.cache.position_BS, once.cache.position_BS)
    np.testing.assert_array_equal(apart.token_B, once.token_B)
    real_BS = np.asarray(once.cache.position_BS) >= 0
    assert real_BS.sum() == batch.lengths_B.sum()
    for a, b in zip(apart.cache[:2], once.cache[:2], strict=True):
        a, b = (np.asarray(x).transpose(1, 3, 0, 2, 4)[real_BS] for x in (a, b))
        np.testing.assert_allclose(a, b, atol=1e-5 * np.abs(a).max(), rtol=0)
    shared = write_tokens(model, prompts, Writing(30), stop=())
    monkeypatch.setattr(generate, "LEAST_SHARED", 1000)
    assert write_tokens(model, prompts, Writing(30), stop=()) == shared


def test_caches_that_do_not_fit_are_refused(model, monkeypatch):
    prompts = prompts_of(model.config.vocab_size, (10, 8))
    (batch,) = plan_batches(prompts, 4096, pad=0, room=30)
    c = model.config
    need = 2 * 2 * 4 * c.layers * 2 * 40 * c.kv_heads * c.head_dim
    assert 2 * sizes.cache_bytes(c, batch, 30) == need
    monkeypatch.setattr("personascan.memory.free_bytes", lambda: need - 1)
    with pytest.raises(personascan.InputError, match="use batch_tokens below 80"):
        write_tokens(model, prompts, Writing(30))
    monkeypatch.setattr("personascan.memory.free_bytes", lambda: need)
    write_tokens(model, prompts, Writing(30), stop=())


# Tokens that tie


def test_the_first_of_the_likeliest_tokens_is_taken():
    logits_BV = np.array([[0, 3, 3, 1], [2, 2, 2, 2], [-5, -4, -9, -4]], np.float32)
    assert np.asarray(decoding.likeliest(logits_BV)).tolist() == [1, 0, 1]


def test_tokens_that_tie_with_the_last_of_the_top_k_count():
    """Three tie for the second place: they share the nucleus as tokens of one list would."""
    logits_BV = np.log(np.array([[4, 2, 2, 2, 1]], np.float32))
    for top_p, least in ((0.39, 4), (0.41, 2), (0.99, 2), (1.0, 2)):
        found_B = decoding.least_drawn(logits_BV, Writing(1, 1.0, top_k=2, top_p=top_p))
        np.testing.assert_allclose(np.exp(found_B), [least], rtol=1e-6)


def test_an_unembedding_of_few_rows_is_that_of_many():
    rng = np.random.default_rng(0)
    few, many = rng.normal(size=(2, 3, 500)), rng.normal(size=(2, 200, 500))
    embedding_VD = rng.normal(size=(40, 500)).astype(np.float32)
    for x_BTD in (few, many):
        found = jax.jit(layers.unembed)(jnp.asarray(x_BTD, jnp.float32), embedding_VD)
        np.testing.assert_allclose(found, x_BTD @ embedding_VD.T, atol=1e-4)

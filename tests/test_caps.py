"""Caps beside hooks of torch that keep a projection below, or above, a threshold."""

import dataclasses

import jax
import numpy as np
import pytest
import torch
from tiny_edits import edited_prompts
from tiny_writing import made_pair, theirs_behind

import personascan
from personascan.interventions.caps import cap_edit
from personascan.interventions.edits import UNEDITED, NamedEdit, add_vector, stack_edits
from personascan.models.tap import Edits, Kept
from personascan.sources.language.decoding import Writing, begin_rows, go_on_rows
from personascan.sources.language.editing import TOKENS, Editing, edited_span
from personascan.sources.language.generate import write_tokens

D = 48
rng = np.random.default_rng(5)
ROWS = rng.normal(size=(200, D)).astype(np.float32)
AXIS = personascan.Direction(
    "axis", {("resid_post", layer): rng.normal(size=D).astype(np.float32) for layer in (0, 1)}
)
FIRST, SECOND = AXIS.shift
ONE = dataclasses.replace(AXIS, shift={SECOND: AXIS.shift[SECOND]})
UNIT = {at: x_D / np.linalg.norm(x_D.astype(np.float64)) for at, x_D in AXIS.shift.items()}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return made_pair(tmp_path_factory.mktemp("capped"))


@pytest.fixture(scope="module")
def free(pair):
    """What the model writes unedited."""
    return write_tokens(pair[0], edited_prompts(pair[0]), Writing(20), stop=())


def caps():
    """One place and two, above and below, each of which bites."""
    return [
        personascan.cap(ONE, -4.0),
        personascan.cap(AXIS, {FIRST: -0.1, SECOND: -3.0}),
        personascan.cap(ONE, 3.0, below=True),
    ]


class Hooked:
    """Blocks of torch whose output is capped at some tokens, by the formula of the paper."""

    def __init__(self, theirs, one, edited_T):
        self.hooks = []
        for at, threshold in one.threshold.items():
            unit = torch.tensor(UNIT[at], dtype=torch.float32)
            block = theirs.model.layers[at[1]]
            self.hooks.append(
                block.register_forward_hook(
                    lambda m, given, output, v=unit, t=threshold: self.capped(
                        output, v, t, one.below, edited_T
                    )
                )
            )

    @staticmethod
    def capped(output, v, t, below, edited_T):
        h = output[0] if isinstance(output, tuple) else output
        projection = h @ v
        beyond = (t - projection).clamp(min=0) if below else (projection - t).clamp(min=0)
        y = h + (1 if below else -1) * beyond[..., None] * v
        y = torch.where(edited_T[None, : h.shape[1], None], y, h)
        return (y, *output[1:]) if isinstance(output, tuple) else y

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for hook in self.hooks:
            hook.remove()


def edited_tokens(prompt, tokens, new):
    edited_T = torch.zeros(len(prompt.ids) + new, dtype=torch.bool)
    edited_T[edited_span(tokens, prompt)] = True
    edited_T[len(prompt.ids) :] = tokens in ("all", "generated")
    return edited_T


def logits(model, ids, edits):
    """[T, V] of a text that is read under the edit of number 0."""
    tokens_BT = np.array([ids], np.int32)
    kept = Kept(np.zeros((1, 1), np.int32))
    apply = jax.jit(model.decoder().apply, static_argnames="method")
    variables = {"params": model.params}
    hidden_BTD = apply(variables, tokens_BT, kept, edits)
    return np.asarray(apply(variables, hidden_BTD, method="logits")[0], np.float64)


@pytest.mark.parametrize("number", range(3))
def test_logits_are_those_of_a_hook_of_torch(pair, number):
    """Teacher-forced, at each token: to 1e-5."""
    model, theirs = pair
    prompt, one = edited_prompts(model)[0], caps()[number]
    sites = stack_edits([cap_edit(one)], {"resid_post": D})
    every = np.ones((1, len(prompt.ids)), bool)
    ours_TV = logits(model, prompt.ids, Edits(sites, np.zeros(1, np.int32), every))
    with Hooked(theirs, one, edited_tokens(prompt, "all", 0)), torch.no_grad():
        theirs_TV = theirs(torch.tensor([prompt.ids])).logits[0].numpy().astype(np.float64)
    size = np.abs(theirs_TV).max()
    np.testing.assert_allclose(ours_TV, theirs_TV, rtol=0, atol=1e-5 * size)
    assert np.abs(ours_TV - logits(model, prompt.ids, None)).max() > 1e-3 * size


@pytest.mark.parametrize("tokens", TOKENS)
def test_texts_are_those_of_hooks_of_torch(pair, free, tokens):
    """Caps, a push and no edit side by side in one batch: each row as torch writes it."""
    model, theirs = pair
    prompts, made = edited_prompts(model), caps()
    push = NamedEdit("w", "", changes={SECOND: add_vector(ROWS[0])})
    edits = [UNEDITED, *map(cap_edit, made), push]
    edit_N = np.array([1, 0, 3, 2, 2, 1, 4, 3])
    editing = Editing(stack_edits(edits, {"resid_post": D}), edit_N, tokens)
    found = write_tokens(model, prompts, Writing(20), editing=editing, stop=())
    for n, (prompt, w, new) in enumerate(zip(prompts, edit_N, found, strict=True)):
        if w == 0:
            assert new == free[n]
        elif w < 4:
            edited_T = edited_tokens(prompt, tokens, len(new) - 1)
            with Hooked(theirs, made[w - 1], edited_T):
                assert new == theirs_behind(theirs, prompt, new)
    assert sum(a != b for a, b in zip(found, free, strict=True)) > 2


def test_a_cap_without_effect_changes_no_bit(pair):
    """An infinite threshold, and one that no activations reach; other rows of a batch neither."""
    model, _ = pair
    prompt = edited_prompts(model)[0]
    plain = logits(model, prompt.ids, None)
    every = np.ones((1, len(prompt.ids)), bool)
    for one in (
        personascan.cap(AXIS, np.inf),
        personascan.cap(AXIS, -np.inf, below=True),
        personascan.cap(AXIS, 1e6),
    ):
        sites = stack_edits([caps_edit := cap_edit(one), cap_edit(caps()[1])], {"resid_post": D})
        assert caps_edit.changes
        edited = logits(model, prompt.ids, Edits(sites, np.zeros(1, np.int32), every))
        np.testing.assert_array_equal(edited, plain)


def test_any_threshold_and_direction_are_one_compilation(pair):
    model, _ = pair
    prompts = edited_prompts(model)[:2]
    personascan.generate(model, prompts, Writing(3), edits=caps()[0], stop=())
    before = begin_rows._cache_size(), go_on_rows._cache_size()
    for one in (personascan.cap(-ONE, 0.7), caps()[2], personascan.cap(ONE, np.inf)):
        personascan.generate(model, prompts, Writing(3), edits=one, stop=())
    assert (begin_rows._cache_size(), go_on_rows._cache_size()) == before


def test_a_threshold_is_a_quantile_of_projections():
    """At each place; the direction's own length counts for nothing."""
    rows = {FIRST: ROWS, personascan.Place(*SECOND, "last"): 3 * ROWS}
    made = personascan.cap(7 * AXIS, rows=rows, quantile=0.95)
    expected = [np.quantile(k * ROWS @ UNIT[at], 0.95) for at, k in ((FIRST, 1), (SECOND, 3))]
    np.testing.assert_allclose(list(made.threshold.values()), expected, rtol=1e-5)
    low = personascan.cap(ONE, rows=3 * ROWS, quantile=0.05, below=True)
    np.testing.assert_allclose(
        low.threshold[SECOND], np.quantile(3 * ROWS @ UNIT[SECOND], 0.05), rtol=1e-5
    )
    assert "axis: at least -" in repr(low)
    # Capped below along v is capped above along -v.
    mirrored = personascan.cap(-ONE, -low.threshold[SECOND])
    (one,), (other,) = (cap_edit(c).changes.values() for c in (low, mirrored))
    for a, b in zip(dataclasses.astuple(one), dataclasses.astuple(other), strict=True):
        np.testing.assert_array_equal(a, b)


BAD = {
    "neither": (dict(), "give a threshold, or rows of H0 and a quantile"),
    "both": (dict(threshold=1.0, rows=ROWS, quantile=0.9), "give a threshold, or rows"),
    "no quantile": (dict(rows=ROWS), "give a threshold, or rows"),
    "beyond": (dict(rows=ROWS, quantile=95), r"quantile = 95; use a share such as 0\.95"),
    "nothing left": (dict(threshold=-np.inf), "threshold = -inf: a cap needs a number"),
    "NaN": (dict(threshold=np.nan), "threshold = nan: a cap needs a number"),
    "no number": (dict(threshold="high"), "threshold must be a number, got 'high'"),
    "width": (dict(rows=ROWS[:, 1:], quantile=0.9), r"must be \[N, 48\], got \(200, 47\)"),
    "not finite": (dict(rows=ROWS * np.inf, quantile=0.9), "hold values that are not finite"),
    "another place": (dict(threshold={FIRST: 1.0}), "threshold has nothing of resid_post 1"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_caps_nothing_is_refused(name):
    options, message = BAD[name]
    with pytest.raises(personascan.InputError, match=message):
        personascan.cap(ONE, **options)


def test_places_and_models_have_to_fit(pair):
    with pytest.raises(personascan.InputError, match="2 places; give rows of each"):
        personascan.cap(AXIS, rows=ROWS, quantile=0.9)
    with pytest.raises(personascan.InputError, match="0 everywhere"):
        personascan.cap(0 * AXIS, 1.0)
    elsewhere = personascan.Direction("d", {("resid_post", 9): AXIS.shift[FIRST]})
    with pytest.raises(personascan.InputError, match="resid_post 9 is none of this model's"):
        personascan.generate(pair[0], "a", edits=personascan.cap(elsewhere, 1.0))

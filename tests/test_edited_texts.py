"""Texts that are written while activations are edited, beside hooks of torch."""

import dataclasses

import numpy as np
import pytest
import torch
from tiny_edits import edited_prompts, edits_of
from tiny_writing import SAMPLED, made_pair, theirs_behind

import personascan
from personascan.interventions.continuations import steering_edit
from personascan.interventions.edits import UNEDITED, Change, NamedEdit, stack_edits
from personascan.sources.language.editing import TOKENS, Editing
from personascan.sources.language.generate import Writing, write_tokens


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return made_pair(tmp_path_factory.mktemp("generate"))


@pytest.fixture(scope="module")
def free(pair):
    """What the model writes unedited."""
    return write_tokens(pair[0], edited_prompts(pair[0]), Writing(20), stop=())


def hooked_behind(theirs, prompt, new, tokens, layer, change):
    """`theirs_behind` with a change of a block's output, at the tokens that are edited."""
    written = len(prompt.ids)
    edited_T = torch.zeros(written + len(new) - 1, dtype=torch.bool)
    spans = {"all": (0, written), "statement": (prompt.first, prompt.last + 1)}
    spans |= {"last": (written - 1, written), "generated": (0, 0)}
    edited_T[slice(*spans[tokens])] = True
    edited_T[written:] = tokens in ("all", "generated")

    def change_it(module, given, output):
        x_BTD = output[0] if isinstance(output, tuple) else output
        c = [None if a is None else torch.tensor(a) for a in dataclasses.astuple(change)]
        y_BTD = x_BTD * c[0] + c[1]
        if c[2] is not None:
            y_BTD = y_BTD + (x_BTD @ c[2])[..., None] * c[3]
        x_BTD = torch.where(edited_T[None, :, None], y_BTD, x_BTD)
        return (x_BTD, *output[1:]) if isinstance(output, tuple) else x_BTD

    hook = theirs.model.layers[layer].register_forward_hook(change_it)
    try:
        return theirs_behind(theirs, prompt, new)
    finally:
        hook.remove()


@pytest.mark.parametrize("tokens", TOKENS)
def test_edits_are_hooks_of_torch(pair, free, tokens):
    """Several edits side by side in one batch, twenty tokens: each row as torch writes it."""
    model, theirs = pair
    prompts, edits = edited_prompts(model), edits_of()
    edit_N = np.array([1, 0, 3, 2, 2, 1, 0, 3])
    editing = Editing(stack_edits(edits, {"resid_post": 48}), edit_N, tokens)
    found = write_tokens(model, prompts, Writing(20), editing=editing, stop=())
    expected = []
    for prompt, w, new in zip(prompts, edit_N, found, strict=True):
        if w == 0:
            expected.append(theirs_behind(theirs, prompt, new))
            continue
        (((_, layer), change),) = edits[w].changes.items()
        expected.append(hooked_behind(theirs, prompt, new, tokens, layer, change))
    assert found == expected
    same = [a == b for a, b in zip(found, free, strict=True)]
    assert all(same[n] for n in np.flatnonzero(edit_N == 0))
    assert sum(same) < len(same) - 2  # most are edited to another text


@pytest.mark.slow
def test_ways_side_by_side_are_those_alone(pair):
    """Drawn texts too."""
    model, _ = pair
    (prompt, *_), edits = edited_prompts(model), edits_of()
    prompts, edit_N, widths = [prompt] * 4, np.arange(4), {"resid_post": 48}
    editing = Editing(stack_edits(edits, widths), edit_N)
    together = write_tokens(model, prompts, SAMPLED, editing=editing, stop=())
    for w in range(1, 4):
        one = Editing(editing.sites, np.where(edit_N == w, w, 0))
        assert write_tokens(model, prompts, SAMPLED, editing=one, stop=())[w] == together[w]
    alone = Editing(stack_edits([UNEDITED, edits[3]], widths), (edit_N == 3).astype(np.int64))
    assert write_tokens(model, prompts, SAMPLED, editing=alone, stop=())[3] == together[3]
    assert len(set(map(tuple, together))) == 4


def test_strength_zero_changes_nothing(pair, free):
    model, _ = pair
    prompts = edited_prompts(model)
    sites = stack_edits(edits_of(strength=0.0), {"resid_post": 48})
    editing = Editing(sites, np.arange(8) % 3)
    assert write_tokens(model, prompts, Writing(20), editing=editing, stop=()) == free


def test_what_grows_beyond_all_numbers_is_no_empty_text(pair):
    """An edit that leaves no numbers, in one row of several."""
    model, _ = pair
    edits = edits_of()
    broken = Change(np.full(48, np.nan, np.float32), np.zeros(48, np.float32))
    edits[2] = NamedEdit("w", "broken", changes={("resid_post", 1): broken})
    editing = Editing(stack_edits(edits, {"resid_post": 48}), np.arange(8) % 3)
    with pytest.raises(personascan.InputError, match="use smaller strengths"):
        write_tokens(model, edited_prompts(model), Writing(20), stop=(), editing=editing)


@pytest.mark.parametrize("strength", [1e39, 1e20, -1e30])
def test_a_strength_beyond_what_a_norm_can_square_is_refused(strength):
    direction = personascan.Direction("d", {("resid_post", 1): np.full(48, 2, np.float32)})
    with pytest.raises(personascan.InputError, match=r"strength -?1e\+\d\d: .* smaller strength"):
        steering_edit(direction, strength)
    assert steering_edit(direction, 1e15).changes


def test_tokens_to_edit_are_named():
    with pytest.raises(personascan.InputError, match="'some' is unknown; use one of all, "):
        Editing({}, np.zeros(1), "some")

"""Directions added at several strengths: what is written, measured, and said of the curve."""

import math

import numpy as np
import pytest
import torch
from tiny_models import save_tiny_llama
from tiny_writing import theirs_greedy

import personascan
from personascan.analysis.echoes import repeated_share
from personascan.analysis.sweeps import Reach, reach
from personascan.interventions.sweeps import swept_tokens
from personascan.models import verify
from personascan.places import Place
from personascan.report.sections.sweep import measures_table, reach_words
from personascan.sources.language.conversation_options import (
    ConversationOptions,
    check_conversations,
)
from personascan.sources.language.generate import Writing
from personascan.sources.language.prompt_tokens import Prompt
from personascan.study.stages.sweep import MEASURES, Sweep, known_mean


def test_what_is_written_is_what_torch_writes_with_the_vector_added(tmp_path):
    save_tiny_llama(tmp_path)
    model, theirs = personascan.load_model(str(tmp_path)), verify.torch_model(tmp_path)
    rng = np.random.default_rng(0)
    prompts = [Prompt(rng.integers(3, 200, size).tolist(), 0, size - 1) for size in (5, 5)]
    vectors_VD = rng.normal(size=(2, model.config.width))
    strengths = (-3.0, 0.0, 2.0)
    found = swept_tokens(
        model, prompts, Place("resid_post", 1, "last"), vectors_VD, strengths, Writing(4),
        batch_tokens=512,
    )  # fmt: skip
    assert found[0][1] == found[1][1]
    assert found[0][0] != found[1][0]
    for v, vector_D in enumerate(vectors_VD):
        for s, strength in enumerate(strengths):
            added = torch.tensor(strength * vector_D, dtype=torch.float32)
            hook = theirs.model.layers[1].register_forward_hook(added_by(added))
            for q, prompt in enumerate(prompts):
                expected = theirs_greedy(theirs, prompt, 4)
                assert found[v][s][q] == expected[: len(found[v][s][q])]
            hook.remove()


def added_by(added):
    def hook(module, inputs, output):
        if isinstance(output, tuple):
            return (output[0] + added, *output[1:])
        return output + added

    return hook


def test_runs_of_tokens_that_stand_earlier_are_counted():
    assert repeated_share([1, 2, 3, 4, 5]) == 0
    assert repeated_share([1, 1, 1, 1, 1, 1]) == 3 / 4
    assert repeated_share([1, 2, 3, 1, 2, 3]) == 1 / 4
    assert math.isnan(repeated_share([1, 2]))


STRENGTHS = (-8, -4, 0, 4, 8, 16)


@pytest.mark.parametrize(
    ("scores", "perplexities", "side", "expected"),
    [
        ((20, 30, 40, 50, 60, 55), (9, 9, 10, 12, 19, 19), 1, Reach(8, True)),
        ((20, 30, 40, 50, 60, 70), (9, 9, 10, 12, 21, 12), 1, Reach(4, False)),  # breaks down at 8
        ((20, 30, 40, 40, 60, 70), (9, 9, 10, 12, 12, 12), 1, Reach(0, False)),
        ((20, 30, 40, 50, 60, 70), (9, 9, 10, 12, 12, 12), -1, Reach(-8, True)),
        ((30, 20, 40, 50, 60, 70), (9, 9, 10, 12, 12, 12), -1, Reach(-4, True)),
        ((20, 30, 40, np.nan, 60, 70), (9, 9, 10, 12, 12, 12), 1, Reach(0, False)),
        ((20, 30, 40, 50, 60, 70), (9, 9, 10, np.nan, 12, 12), 1, Reach(0, False)),
    ],
)
def test_a_curve_is_followed_until_it_turns_or_the_text_breaks_down(
    scores, perplexities, side, expected
):
    random = [[25, 25, 40, 55, 30, 30], [35, 35, 40, 45, 50, 50]]
    score_VS = np.array([scores, *random], float)
    assert (
        reach(STRENGTHS, score_VS, np.array(perplexities, float), side=side, factor=2) == expected
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strengths": (1.0, 1.0)}, "strengths = .* each once"),
        ({"strengths": (math.inf,)}, "finite numbers"),
        ({"controls": 0}, "use 1 to 100 random directions"),
        ({"perplexity_factor": 0.5}, "use 1 or more"),
    ],
)
def test_sweeps_that_cannot_be_made_are_refused(change, message):
    with pytest.raises(personascan.InputError, match=message):
        check_conversations(ConversationOptions(("f",), **change))


def test_without_a_judge_s_question_the_other_measures_are_shown():
    mean_VS = {name: np.ones((3, 2)) for name in MEASURES}
    mean_VS["judged"] = np.full((3, 2), np.nan)
    mean_VS["log_likelihood"] = -np.log([[2, 4], [2, 8], [2, 5]])
    swept = Sweep(
        Place("resid_post", 1, "last"), (0.0, 4.0), ("a?",), None, 2.0, mean_VS, (("b",), ("c",))
    )  # fmt: skip
    assert swept.reach(1) is None
    assert reach_words("calm", swept) == "**calm** at resid_post 1, last."
    table = measures_table(swept)
    assert [row[1] for row in table.rows] == ["-", "-"]
    assert [row[3] for row in table.rows] == ["2", "4 (5 to 8)"]


def test_means_over_questions_leave_out_those_without_a_value():
    values_VSQ = np.array([[[1.0, np.nan, 3.0], [np.nan, np.nan, np.nan]]])
    np.testing.assert_array_equal(known_mean(values_VSQ), [[2.0, np.nan]])

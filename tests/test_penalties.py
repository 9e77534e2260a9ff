"""What a checkpoint asks of the tokens that it writes, beside Transformers on torch."""

import dataclasses
import json

import numpy as np
import pytest
from tiny_edits import prompts_of
from tiny_writing import made, theirs_greedy

import personascan
from personascan.models import verify
from personascan.sources.language.generate import Writing, write_tokens
from personascan.sources.language.penalties import penalise, repetition_penalty, tokens_seen


def test_tokens_that_were_seen_are_less_likely_and_padding_was_not():
    tokens_BT, lengths_B = np.array([[1, 3, 0], [2, 2, 2]]), np.array([2, 3])
    seen_BV = np.asarray(tokens_seen(tokens_BT, lengths_B, 5))
    assert [np.flatnonzero(row).tolist() for row in seen_BV] == [[1, 3], [2]]
    logits_BV = np.array([[1, 3, 1, -2, 1], [1, 1, 0, 1, 1]], np.float32)
    found_BV = np.asarray(penalise(logits_BV, seen_BV, np.float32(2)))
    np.testing.assert_array_equal(found_BV[0], [1, 1.5, 1, -4, 1])
    np.testing.assert_array_equal(found_BV[1], logits_BV[1])


@pytest.mark.slow
def test_the_repetition_penalty_of_a_checkpoint_is_applied_as_transformers_does(tmp_path, capsys):
    """Two prompts of unlike lengths in one batch: padding is no token that was seen."""
    model = made(tmp_path, "llama grouped")
    path = tmp_path / "generation_config.json"
    prompts = prompts_of(model.config.vocab_size)
    free = write_tokens(model, prompts, Writing(40), stop=())
    path.write_text(json.dumps({"repetition_penalty": 1.3, "no_repeat_ngram_size": 0}))
    found = write_tokens(model, prompts, Writing(40), stop=())
    theirs = verify.torch_model(tmp_path)
    assert [theirs_greedy(theirs, p, 40) for p in prompts] == found
    assert found != free
    assert "not applied" not in capsys.readouterr().err
    path.unlink()  # older files have it in config.json
    config = tmp_path / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"repetition_penalty": 1.3}))
    assert write_tokens(model, prompts, Writing(40), stop=()) == found


def test_rules_that_are_not_applied_are_named(tmp_path, capsys):
    @dataclasses.dataclass
    class Model:
        path = tmp_path

    path = tmp_path / "generation_config.json"
    asked = {"no_repeat_ngram_size": 3, "min_length": 0, "bad_words_ids": [[5]], "num_beams": 1}
    path.write_text(json.dumps(asked | {"temperature": 0.6, "suppress_tokens": []}))
    assert repetition_penalty(Model) == 1
    said = capsys.readouterr().err
    assert "bad_words_ids = [[5]], no_repeat_ngram_size = 3, which is not applied" in said
    assert said.count("\n") == 1
    for penalty in (0, -1.0, "1.1", True):
        path.write_text(json.dumps({"repetition_penalty": penalty}))
        with pytest.raises(personascan.InputError, match="repetition_penalty"):
            repetition_penalty(Model)
    path.unlink()
    assert repetition_penalty(Model) == 1  # a GGUF file has none beside it

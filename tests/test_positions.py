"""Which tokens are kept, against Transformers on each prompt alone; and every token on disk."""

import json

import numpy as np
import pytest
from tiny_models import save_tiny_llama

import personascan
from personascan.sources.language.prompts import tokenize

POSITIONS = ("first", "last", "last_statement", "mean_statement", "mean", 0, 3, -2)
TEXTS = ["I like it", "I really do like long walks", "no", "naïve café"]
STATEMENTS = [
    personascan.Statement(f"s{i}", t, "p", "", True, 1.0, "") for i, t in enumerate(TEXTS)
]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_tiny_llama(folder)
    return personascan.load_model(str(folder))


@pytest.fixture(scope="module")
def alone(model):
    """{layer: [T, D] of every statement}, by Transformers; and each prompt's spans by its text."""
    from personascan.models import verify

    theirs = verify.torch_model(model.path)
    found = []
    for s in STATEMENTS:
        before = len("<|im_start|>system\n".replace("<|im_start|>", "?"))
        text = f"<|im_start|>system\n{s.text}<|im_end|>\n<|im_start|>assistant\n"
        ids = model.tokenizer(text, add_special_tokens=False)["input_ids"]
        states, _, _ = verify.torch_states(theirs, model.config, np.array([ids]))
        # One token a byte, and one for the marker in front.
        own = slice(before, before + len(s.text.encode()))
        assert model.tokenizer.decode(ids[own]) == s.text
        found.append(([state[0] for state in states], own))
    return found


def expected(states_TD, own, position):
    if position == "last_statement":
        return states_TD[own.stop - 1]
    if position == "first":
        return states_TD[0]
    if position == "mean_statement":
        return states_TD[own].mean(0)
    if position == "mean":
        return states_TD.mean(0)
    return states_TD[-1 if position == "last" else position]


def close(found, wanted):
    assert np.linalg.norm(found - wanted) <= 1e-5 * np.linalg.norm(wanted)


def test_every_position_is_the_token_that_it_names(model, alone):
    found = personascan.extract(
        model, STATEMENTS, sites=("resid_post", "final_norm"), positions=POSITIONS, progress=False
    )
    assert set(found.stacks) == {(s, p) for s in ("resid_post", "final_norm") for p in POSITIONS}
    for i, (states, own) in enumerate(alone):
        for position in POSITIONS:
            for k in (1, 2):
                wanted = expected(states[k], own, position)
                close(found.stacks["resid_post", position][k - 1, i], wanted)
            wanted = expected(states[3], own, position)
            close(found.stacks["final_norm", position][0, i], wanted)


def test_every_token_goes_to_disk(model, alone, tmp_path):
    found = personascan.extract(
        model, STATEMENTS, sites=("resid_post",), positions=("last", "all", "mean"),
        out=tmp_path / "a", batch_tokens=60, progress=False,
    )  # fmt: skip
    every = found.stacks["resid_post", "all"]
    assert isinstance(every, np.memmap)
    lengths = [len(states[0]) for states, _ in alone]
    assert found.offsets.tolist() == np.concatenate([[0], np.cumsum(lengths)]).tolist()
    assert every.shape == (3, sum(lengths), 48)
    for i, (states, _) in enumerate(alone):
        rows = slice(found.offsets[i], found.offsets[i + 1])
        close(every[0, rows], states[1])
        close(found.stacks["resid_post", "last"][1, i], states[2][-1])
        np.testing.assert_allclose(
            every[:, rows].mean(1), found.stacks["resid_post", "mean"][:, i], rtol=1e-4, atol=1e-6
        )
    again = personascan.Activations.load(tmp_path / "a")
    np.testing.assert_array_equal(again.stacks["resid_post", "all"], every)
    assert again.ids == found.ids
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]
    with pytest.raises(personascan.InputError, match="a exists already"):
        personascan.extract(model, STATEMENTS, out=tmp_path / "a", progress=False)


def test_one_file_keeps_numbers_and_offsets(model, tmp_path):
    found = personascan.extract(model, STATEMENTS, positions=("last", -2), progress=False)
    found.save(tmp_path / "a.npz")
    again = personascan.Activations.load(tmp_path / "a.npz")
    assert set(again.stacks) == {("resid_post", "last"), ("resid_post", -2)}
    assert again.offsets.tolist() == found.offsets.tolist()


def test_an_interrupted_extraction_leaves_nothing(model, tmp_path, monkeypatch):
    from personascan.sources.language import extract

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(extract, "run", stop)
    with pytest.raises(KeyboardInterrupt):
        personascan.extract(
            model, STATEMENTS, positions=("all",), out=tmp_path / "a", progress=False
        )
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_folder_is_refused(model, tmp_path):
    personascan.extract(model, STATEMENTS, out=tmp_path / "a", progress=False)
    record = tmp_path / "a/activations.json"
    content = json.loads(record.read_text())
    record.write_text(json.dumps(content | {"ids": content["ids"][:-1]}))
    with pytest.raises(personascan.InputError, match=r"activations\.json is not as it was written"):
        personascan.Activations.load(tmp_path / "a")
    record.write_text(json.dumps(content))
    array = tmp_path / "a/resid_post.last.npy"
    array.write_bytes(array.read_bytes()[:-40])
    with pytest.raises(personascan.InputError, match="not a whole folder of activations"):
        personascan.Activations.load(tmp_path / "a")


@pytest.mark.parametrize("role", ["user", "assistant", "none"])
def test_roles_end_where_they_should(model, role):
    (prompt, *_) = tokenize(model.tokenizer, STATEMENTS, role, 600)
    text = model.tokenizer.decode(prompt.ids)
    assert (
        text
        == {
            "user": f"<|im_start|>user\n{TEXTS[0]}<|im_end|>\n<|im_start|>assistant\n",
            "assistant": f"<|im_start|>assistant\n{TEXTS[0]}<|im_end|>\n",
            "none": TEXTS[0],
        }[role]
    )


def test_prefix_and_suffix_reach_the_model(model):
    around = dict(prefix="Do you agree: ", suffix=" (yes or no)")
    given = personascan.extract(model, STATEMENTS, progress=False, **around)
    written = [
        personascan.Statement(s.id, f"Do you agree: {s.text} (yes or no)", "p", "", True, 1.0, "")
        for s in STATEMENTS
    ]
    same = personascan.extract(model, written, progress=False)
    np.testing.assert_array_equal(
        given.stacks["resid_post", "last"], same.stacks["resid_post", "last"]
    )

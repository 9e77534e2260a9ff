import numpy as np
import pytest
from tiny_models import save_tiny_llama

import personascan
from personascan.sources.store import read_array


def statements(count=25):
    texts = [f"I {'really ' * (i % 7)}like number {i}" for i in range(count)]
    return [personascan.Statement(f"s{i}", t, "p", "", True, 1.0, "") for i, t in enumerate(texts)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_tiny_llama(folder)
    return personascan.load_model(str(folder))


def test_every_layer_of_every_statement_matches_transformers_alone(model):
    """Rows are in the statements' order, each the last token's, whatever its batch held."""
    import torch
    from transformers import AutoModelForCausalLM

    theirs = AutoModelForCausalLM.from_pretrained(model.source, dtype=torch.float32).eval()
    found = personascan.extract(
        model, statements(), sites=("resid_post", "final_norm"), batch_tokens=400, progress=False
    )
    assert found.ids == [s.id for s in statements()]
    assert found.layer_names == {
        "resid_post": ["resid_post 0", "resid_post 1", "resid_post 2"],
        "final_norm": ["final_norm"],
    }
    ours = np.concatenate([found.stacks["resid_post", "last"], found.stacks["final_norm", "last"]])
    assert ours.shape == (4, 25, 48)
    assert ours.dtype == np.float32
    for i, s in enumerate(statements()):
        text = f"<|im_start|>system\n{s.text}<|im_end|>\n<|im_start|>assistant\n"
        ids = model.tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            states = theirs(ids, output_hidden_states=True).hidden_states
        for k, layer in ((1, 0), (2, 1), (3, 3)):
            expected = states[k][0, -1].numpy()
            error = np.linalg.norm(ours[layer, i] - expected) / np.linalg.norm(expected)
            assert error <= 1e-5


def test_the_role_is_part_of_the_prompt(model):
    system, user = (
        personascan.extract(model, statements(4), role=r, progress=False).stacks[
            "resid_post", "last"
        ]
        for r in ("system", "user")
    )
    assert np.abs(system - user).max() > 1e-3


def test_bfloat16_is_close(model):
    half = personascan.load_model(model.source, dtype="bfloat16")
    full, found = (
        personascan.extract(m, statements(4), progress=False).stacks["resid_post", "last"]
        for m in (model, half)
    )
    assert found.dtype == np.float32
    error = np.linalg.norm(found - full) / np.linalg.norm(full)
    assert 1e-5 < error < 0.05


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        (dict(sites=("resid",)), "site 'resid' is unknown; known: resid_pre"),
        (dict(sites="resid_post"), "sites must be a sequence"),
        (dict(positions=("median",)), "position 'median' is unknown; known: first, last"),
        (dict(positions=("last", "last")), "names one twice"),
        (dict(positions="last"), "positions must be a sequence"),
        (dict(positions=(500,)), "position 500: the prompt of statement s0 has only"),
        (dict(positions=("all",)), "name a folder for it with out="),
        (dict(sites=("final_norm", "final_norm")), "names one twice"),
        (dict(sites=iter(["resid_post"])), "sites must be a sequence"),
        (dict(batch_tokens=0), "batch_tokens = 0"),
        (dict(role="system", drop=True), "--config.role=user"),
    ],
)
def test_bad_requests_are_refused(model, keywords, message):
    template = model.tokenizer.chat_template
    keywords = dict(keywords)
    if keywords.pop("drop", False):
        model.tokenizer.chat_template = "{{ '' }}"
    try:
        with pytest.raises(personascan.InputError, match=message):
            personascan.extract(model, statements(3), progress=False, **keywords)
    finally:
        model.tokenizer.chat_template = template
    with pytest.raises(personascan.InputError, match="no statements"):
        personascan.extract(model, [], progress=False)


def test_non_finite_activations_name_statement_and_node(model):
    import dataclasses

    blocks = model.params["blocks"]
    broken = model.params | {"blocks": blocks | {"down": blocks["down"].at[1, :, 7].set(np.inf)}}
    with pytest.raises(personascan.InputError, match=r"resid_post 1, node 7 is .* statement s0"):
        personascan.extract(
            dataclasses.replace(model, params=broken), statements(3), progress=False
        )


def test_activations_survive_the_disk(model, tmp_path):
    found = personascan.extract(model, statements(5), progress=False)
    path = tmp_path / "folder" / "a.npz"
    found.save(path)
    again = personascan.Activations.load(path)
    assert (again.ids, again.layer_names) == (found.ids, found.layer_names)
    np.testing.assert_array_equal(
        again.stacks["resid_post", "last"], found.stacks["resid_post", "last"]
    )
    assert [p.name for p in path.parent.iterdir()] == ["a.npz"]
    link = tmp_path / "link.npz"
    link.symlink_to(tmp_path)
    for bad in (link, tmp_path, path / "below.npz", tmp_path / ("n" * 300)):
        with pytest.raises(personascan.InputError, match=r"cannot be written|no place for a file"):
            found.save(bad)
    assert [p.name for p in path.parent.iterdir()] == ["a.npz"]
    np.savez(
        tmp_path / "short.npz", **{"ids": np.array(["a"]), "resid_post/last": np.ones((2, 5, 4))}
    )
    with pytest.raises(personascan.InputError, match="one row for each statement id"):
        personascan.Activations.load(tmp_path / "short.npz")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(personascan.InputError, match="not a whole activations file"):
        personascan.Activations.load(path)
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(personascan.InputError, match="not written by personascan"):
        personascan.Activations.load(tmp_path / "other.npz")
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(personascan.InputError, match=r"cannot be read as a \.npy file"):
        read_array(tmp_path / "objects.npy")
    with pytest.raises(personascan.InputError, match="several arrays"):
        read_array(tmp_path / "other.npz")

import numpy as np
import pytest
from tiny_models import save_tiny_llama

import personascan
from personascan.sources.array_files import read_array


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
        with pytest.raises(personascan.InputError, match=r"cannot be written|no path of a file"):
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


def test_what_is_extracted_is_a_mapping_of_places(model, tmp_path):
    found = personascan.extract(
        model, statements(6), sites=("resid_post", "head_out", "final_norm"),
        positions=("last", -2, "all"), out=tmp_path / "a", progress=False,
    )  # fmt: skip
    assert len(found) == len(list(found)) == 3 * (3 + 3 + 1)
    place = personascan.Place("resid_post", 2, -2)
    assert place in found
    assert found[place].shape == (6, 48)
    assert found[place].base is not None  # of the file, not a copy
    np.testing.assert_array_equal(found[place], found.stack("resid_post", -2)[2])
    np.testing.assert_array_equal(found["resid_post 2 -2"], found[place])
    np.testing.assert_array_equal(found["resid_post 100%, -2"], found[place])
    np.testing.assert_array_equal(found["final_norm last"], found.stack("final_norm", "last")[0])
    assert found[personascan.Place("head_out", 0, "all")].shape == (found.offsets[-1], 48)
    assert found == found != personascan.Activations.load(tmp_path / "a")
    assert "21 places of 6 statements: resid_post at last (3, 6, 48)" in repr(found)
    for missing, message in (
        ("resid_post 9 last", "'resid_post 9 last' is no place of these activations; there are"),
        (personascan.Place("resid_post", 3, "last"), "no resid_post 3, last: .* layers 0 to 2"),
        (personascan.Place("resid_post", 0, "last", "net"), "resid_post, last"),
        (personascan.Place("mlp_out", 0, "last"), "no mlp_out, last among .*: resid_post, last;"),
        (3, "3 is neither a Place nor the name"),
    ):
        assert missing not in found
        assert found.get(missing) is None
        with pytest.raises(personascan.InputError, match=message):
            found[missing]
    with pytest.raises(personascan.InputError, match="no resid_post, mean among"):
        found.stack("resid_post", "mean")


@pytest.mark.slow
def test_what_is_extracted_goes_into_the_tests_and_scans_as_it_is(model):
    """Places of several sites and widths, keyed by place; a place by its name."""
    found = personascan.extract(
        model, statements(24), sites=("resid_post", "mlp_hidden"), progress=False
    )
    positive = [i % 2 == 0 for i in range(24)]
    located = personascan.locate(found, positive, permutations=19)
    assert located.keys == tuple(found)
    nodes = located.nodes("mlp_hidden 1 last")
    assert nodes.effect.shape == (found["mlp_hidden 1"].shape[1],)
    np.testing.assert_array_equal(
        nodes.effect, located.nodes(personascan.Place("mlp_hidden", 1, "last")).effect
    )
    samples = personascan.SampleOptions(background=6, clean=4, positive=4, runs=3)
    calibrated = personascan.calibrate(
        found, positive, samples, permutations=3, runs=1, nodes="resid_post 1"
    )
    assert calibrated.keys == tuple(found)
    assert calibrated.node_key == personascan.Place("resid_post", 1, "last")
    assert calibrated.frequency.shape == (2 * 48,)
    masks = personascan.draw_samples(positive, samples, 0)
    runs = personascan.scan_runs(found, *masks, starts=1)
    assert list(runs) == list(found)
    alone = personascan.scan_runs(found["resid_post 1"], *masks, starts=1)
    np.testing.assert_array_equal(runs[calibrated.node_key].score, alone.score)
    one = alone.run(0, 2)
    np.testing.assert_array_equal(one.high, np.flatnonzero(alone.high_LRD[0, 2]))
    np.testing.assert_array_equal(one.rows, np.flatnonzero(alone.rows[0, 2]))
    for text in ("resid_post 7", "nowhere"):
        with pytest.raises(personascan.InputError, match=f"'{text}' is no place of the pool"):
            located.nodes(text)

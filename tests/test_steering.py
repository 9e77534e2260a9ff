"""Directions to steer along: units of strength, files, and studies that found no nodes."""

import re

import numpy as np
import pytest
from in_process import run_here
from tiny_directions import same
from tiny_studies import recipe, run_study

import personascan
from personascan.interventions.steering import where_steered
from personascan.study.steering import NoNodesError

ROWS, HALF = 40, 20


def located():
    """Rows at a place of a model: H1 differs in three of six nodes, and one node is constant."""
    rows_ND = np.random.default_rng(0).normal(size=(ROWS, 6)).astype(np.float32)
    rows_ND[:HALF, :3] += [2, -3, 1]
    rows_ND[:, 5] = 0.5
    places = {personascan.Place("resid_post", 1, "last"): rows_ND}
    return rows_ND, personascan.locate(places, np.arange(ROWS) < HALF, permutations=19)


def test_a_direction_knows_its_length_in_both_units():
    rows_ND, found = located()
    direction = found.direction(nodes=[0, 1, 5])
    h1, h0 = rows_ND[:HALF].astype(np.float64), rows_ND[HALF:].astype(np.float64)
    difference_D = np.where([1, 1, 0, 0, 0, 0], h1.mean(0) - h0.mean(0), 0)
    assert direction.lengths["difference"] == pytest.approx(np.linalg.norm(difference_D), rel=1e-6)
    deviation = np.sqrt(np.square(h0.std(0)[:2]).sum())  # the constant node is not moved
    assert direction.lengths["deviation"] == pytest.approx(deviation, rel=1e-6)
    ((at, shift_D),) = direction.shift.items()
    for strength in (1, 7.5):  # whatever strength it has
        one = (strength * direction).in_unit("deviation")
        expected_D = difference_D / np.linalg.norm(difference_D) * deviation
        np.testing.assert_allclose(one.shift[at], expected_D, rtol=1e-5)
        np.testing.assert_allclose(one.in_unit("difference").shift[at], shift_D, rtol=1e-6)
    assert (-direction).in_unit("deviation").shift[at] @ shift_D < 0
    assert "2 of the difference of the means there" in (2 * direction).strength


def test_a_direction_shows_what_its_strength_is():
    direction = located()[1].direction().in_unit("deviation")
    assert "strength 1 is 1 deviation or " in repr(direction)
    assert "strength 1 is 2 deviations or " in repr(2 * direction)
    assert "strength" not in repr(personascan.Direction("theirs", direction.shift))


def test_a_unit_that_is_not_known_is_refused():
    direction = located()[1].direction()
    with pytest.raises(personascan.InputError, match="unit 'norm' is unknown; use one of deviat"):
        direction.in_unit("norm")
    foreign = personascan.Direction("theirs", direction.shift)
    assert foreign.lengths == {}
    assert foreign.strength.startswith("1 adds a vector of length")
    with pytest.raises(personascan.InputError, match="theirs does not say how long one diff"):
        foreign.in_unit("difference")


def test_a_direction_is_saved_and_read_without_a_model(tmp_path):
    direction = located()[1].direction()
    path = tmp_path / "mine.safetensors"
    direction.save(path)
    back = personascan.read_direction(path)
    same(back, direction)
    assert back.lengths == direction.lengths
    with pytest.raises(personascan.InputError, match="overwrite"):
        direction.save(path)
    (-direction).save(path, overwrite=True)
    same(personascan.read_direction(path), -direction)
    with pytest.raises(personascan.InputError, match=r"does not end in \.safetensors"):
        direction.save(tmp_path / "mine.npz")
    with pytest.raises(personascan.InputError, match=r"write_direction\(path, direction, model\)"):
        direction.save(tmp_path / "mine.gguf")


def test_a_direction_without_a_suffix_gets_its_own(tmp_path):
    direction = located()[1].direction()
    direction.save(tmp_path / "patience")
    assert [path.name for path in tmp_path.iterdir()] == ["patience.safetensors"]
    same(personascan.read_direction(tmp_path / "patience"), direction)
    with pytest.raises(personascan.InputError, match=r"hope\.safetensors does not exist"):
        personascan.read_direction(tmp_path / "hope")


@pytest.fixture(scope="module")
def empty(place):
    """The study of a folder with a q that no node reaches: from finished units, but for a few."""
    return run_study(recipe(place, out="empty", node_q=1e-12))


def half_difference(place, study, direction):
    """Mean H1 less mean H0 of half A, by extraction of its statements and NumPy."""
    part = study.part
    labels, half_N = part.detection_rows["calm"]
    texts = [t for t, half in zip(part.row_texts["calm"], half_N, strict=True) if half == 0]
    positive = labels.positive_N[half_N == 0]
    model = personascan.load_model(str(place / "model"))
    key = personascan.Place(*direction.record["place"])
    rows_ND = personascan.extract(model, texts, sites=(key.site,), progress=False)[key]
    rows_ND = rows_ND.astype(np.float64)
    return rows_ND[positive].mean(0) - rows_ND[~positive].mean(0)


def test_without_nodes_the_direction_is_the_difference_of_the_means(place, empty):
    asked = dict(study=place / "empty", comparison="calm", units=str(place / "units"))
    with pytest.raises(NoNodesError, match=r"instead: kind=.difference., --kind=difference"):
        personascan.found_direction(**asked)
    _, direction = personascan.found_direction(**asked, kind="difference")
    difference_D = half_difference(place, empty, direction)
    ((_, shift_D),) = direction.shift.items()
    np.testing.assert_allclose(shift_D, difference_D, rtol=1e-4, atol=1e-5)
    assert direction.record["nodes"] == 0
    assert direction.lengths["difference"] == pytest.approx(np.linalg.norm(shift_D), rel=1e-5)


def test_the_command_says_where_and_by_whose_rows_it_steers():
    shift_D = np.array([0, 1, 0, -2], np.float32)
    record = {"place": ["resid_post", 3, "last"], "half": "A"}
    said = where_steered(personascan.Direction("calm", {("resid_post", 3): shift_D}, {}, record))
    assert said == (
        "at resid_post 3, along 2 of 4 nodes, by the rows of half A at resid_post 3, last"
    )
    record["half"] = "all"
    said = where_steered(personascan.Direction("calm", {("resid_post", 3): shift_D}, {}, record))
    assert said.endswith(", by all rows at resid_post 3, last")
    two = personascan.Direction("theirs", {("resid_post", 3): shift_D, ("attn_out", 1): shift_D})
    assert where_steered(two) == "at resid_post 3, attn_out 1, along 2 of 4, 2 of 4 nodes"


@pytest.mark.slow
def test_what_the_command_advises_works_and_saves_what_generate_takes(place, empty, tmp_path):
    asked = [
        f"--study={place / 'empty'}", f"--units={place / 'units'}", "--comparison=calm",
        "--prompt=I am", "--new_tokens=4", "--strength=0,3",
    ]  # fmt: skip
    done = run_here("steer.py", *asked)
    assert done.returncode == 1
    advised = re.search(r"as in: .*steer.py (.*)$", done.stderr.strip())[1]
    assert advised.split("--prompt")[0] == " ".join([*asked[:3], "'"])
    done = run_here("steer.py", *asked, advised.split()[-1], "--unit=deviation",
                    f"--export={tmp_path / 'calm.safetensors'}")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "strength 1 adds a vector of length" in done.stdout
    assert re.search(r"steering at \w+ \d, along \d+ of \d+ nodes, by (all|the) rows", done.stdout)
    assert ": 1 of a deviation of the background" in done.stdout
    reader, direction = personascan.found_direction(
        place / "empty", "calm", units=str(place / "units"), kind="difference"
    )
    saved = personascan.read_direction(tmp_path / "calm.safetensors")
    same(saved, direction.in_unit("deviation"))
    texts = [
        personascan.generate(reader.model(), "I am", personascan.Writing(4), edits=3 * one)
        for one in (saved, direction.in_unit("deviation"))
    ]
    assert texts[0] == texts[1]

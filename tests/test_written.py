"""What a model writes as it is and pushed along a found set: beside Transformers, and as shown."""

from types import SimpleNamespace

import numpy as np
import pytest
from tiny_pages import section_words
from tiny_writing import made, theirs_greedy

import personascan
from personascan.interventions.continuations import text_prompts
from personascan.interventions.directions import PlaceStatistics
from personascan.interventions.options import InterventionOptions, check_interventions
from personascan.models import verify
from personascan.places import Place
from personascan.report.document import section_without_texts
from personascan.report.sections.written import written_section
from personascan.sources.base import Terms
from personascan.sources.language.templates import PromptOptions
from personascan.study.node_sets import outcome_options
from personascan.study.stages import written
from personascan.study.stages.written import WrittenTexts

PROMPTS = ("Who are you?", "And then?")
PLACE = Place("resid_post", 0, "last")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("written")
    return made(folder, "llama grouped"), verify.torch_model(folder)


def node_set(model, signed):
    """A made set, with rows that decide what one deviation of each node is."""
    width = model.config.width
    rng = np.random.default_rng(0)
    rows_ND, positive_N = rng.normal(size=(20, width)), np.arange(20) % 2 == 0
    signed_D = np.zeros(width)
    signed_D[: len(signed)] = signed
    return SimpleNamespace(
        name="calm", place=PLACE, statistics=lambda: PlaceStatistics(rows_ND, positive_N),
        signed=lambda statistics, most: signed_D,
    )  # fmt: skip


def texts_of(model, signed, strengths=(0.0, -30.0, 30.0)):
    reader = SimpleNamespace(model=lambda: model, options=PromptOptions(role="system"))
    values, arrays = written.do(reader, node_set(model, signed), 0, PROMPTS, strengths)
    assert arrays == {}
    return values


def test_the_unedited_text_is_that_of_transformers_and_a_push_changes_it(pair):
    model, theirs = pair
    values = texts_of(model, [1, -1, 1])
    assert values["nodes"] == 3
    prompts = text_prompts(model, PROMPTS, PromptOptions())
    for prompt, (as_it_is, away, towards) in zip(prompts, values["texts"], strict=True):
        new = theirs_greedy(theirs, prompt, written.NEW_TOKENS)
        stop = model.tokenizer.eos_token_id
        new = new[: new.index(stop)] if stop in new else new
        whole = model.tokenizer.decode([*prompt.ids, *new], skip_special_tokens=True)
        assert whole.endswith(as_it_is)
        assert as_it_is
        assert len({as_it_is, away, towards}) == 3


def test_a_push_is_that_of_steering(pair):
    """One deviation of the background at every found node, in its direction."""
    model, _ = pair
    nodes = node_set(model, [1, -1])
    push_D = nodes.statistics().push(nodes.signed(None, 0)).astype(np.float32)
    direction = personascan.Direction("calm", {("resid_post", 0): push_D})
    writing = personascan.Writing(written.NEW_TOKENS)
    expected = personascan.generate(model, list(PROMPTS), writing, edits=30 * direction)
    assert [texts[2] for texts in texts_of(model, [1, -1])["texts"]] == expected


def test_without_nodes_nothing_is_written(pair):
    assert texts_of(pair[0], []) == {"nodes": 0, "texts": []}


def options(**changes):
    return InterventionOptions(places=("chosen",), **changes)


def test_prompts_are_pushed_both_ways_by_the_strongest_strength():
    assert written.strengths_of(options(strengths=(-2.0, 1.0))) == (0.0, -1.0, 1.0)
    sets = [("A", "B", PLACE), ("B", "A", PLACE)]
    case = SimpleNamespace(config=SimpleNamespace(intervention=options()), tested_sets=sets)
    assert written.asked(case) == [("A", PLACE), ("B", PLACE)]
    for change in (dict(written=()), dict(strengths=())):
        case.config.intervention = options(**change)
        assert written.asked(case) == []


def test_prompts_decide_no_outcome_of_edits():
    """Finished interventions are found again, whatever is written beside them."""
    assert outcome_options(options()) == outcome_options(options(written=("Hello?",)))


@pytest.mark.parametrize("prompts", [("a", "a"), ("a", " ")])
def test_prompts_that_cannot_be_are_refused(prompts):
    with pytest.raises(personascan.InputError, match=r"written = .* each prompt once"):
        check_interventions(options(written=prompts))


def one(name="calm", half="A", texts=(("as it is *now*", "less\n\nof it", ""),)):
    return WrittenTexts(
        name, PLACE, half, 3 * bool(texts), (0.0, -4.0, 4.0),
        {f"Prompt {i}?": each for i, each in enumerate(texts)},
    )  # fmt: skip


def page(*sets):
    return written_section(SimpleNamespace(terms=Terms("statements"), written=list(sets)))


def test_texts_stand_side_by_side():
    section = page(one(), one("bold", "B", ()))
    text, table = section.blocks
    assert table.header[3:] == ("prompt", "as it is", "-4", "+4")
    assert table.rows == (
        ("calm", "resid_post 0, last", "A", "Prompt 0?", r"as it is \*now\*", "less of it",
         "(nothing)"),
    )  # fmt: skip
    assert text.startswith("A look, and no test")
    assert "pushed by -4 (away from H1) and by +4 (towards it)" in text
    assert "No nodes were found to push for bold (half B)." in text
    assert page() is None
    assert page(one("bold", "B", ())) is None


def test_of_many_sets_each_comparison_has_one():
    names = [f"{letter}{half}" for letter in "abcd" for half in "AB"]
    section = page(*(one(name[0], name[1]) for name in names))
    assert [row[0] + row[2] for row in section.blocks[1].rows] == ["aA", "bA", "cA", "dA"]
    assert "Shown are 4 of 8 node sets." in section.blocks[0]


def test_without_texts_no_text_is_left():
    packed = page(one()).packed()
    assert "less of it" in section_words(packed)
    bare = section_words(section_without_texts(packed))
    assert "less of it" not in bare
    assert "What it writes when it is pushed" in bare

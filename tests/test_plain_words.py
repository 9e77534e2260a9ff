"""What a page says in plain words: how many, of what, and what a number below chance means."""

from types import SimpleNamespace

from personascan.places import Place
from personascan.report.page import asked_sentence, title_words
from personascan.report.words import quantity
from personascan.sources.base import Terms

A = Place("layer *a*", 0, "", "net")


def test_one_thing_is_in_the_singular():
    assert [quantity(n, "node set") for n in (0, 1, 2)] == [
        "0 node sets",
        "1 node set",
        "2 node sets",
    ]


def asked_of(level, names, levels=(2,)):
    """As much of a part of statements as the title and the question read."""
    return SimpleNamespace(
        terms=Terms("statements"), places=[A], texts=True, model="m", level=level,
        scans=dict.fromkeys(names), pool_sizes=dict.fromkeys(names, (3, 3)),
        config=SimpleNamespace(levels=levels),
    )  # fmt: skip


def test_the_question_counts_and_names_what_is_compared_in_words():
    one = asked_sentence(asked_of(2, ["calm"]))
    assert one == (
        "Asked: at the one place of `m` (layers of net) do activations tell, the statements for "
        "it (H1) from those against it (H0)? 3 + 3 statements."
    )
    two = asked_sentence(asked_of(0, ["moods", "views"]))
    assert ", for each of 2 topics, the statements for its personas" in two
    assert two.endswith("3 + 3 statements of each.")
    assert title_words(asked_of(2, ["calm"])) == "calm in `m`"
    said = [title_words(asked_of(level, ["calm"], (2, 1, 0))) for level in (2, 1, 0)]
    assert [one.removeprefix("calm in `m`: each against ") for one in said] == [
        "its own negatives", "its topic's others", "the other topics",
    ]  # fmt: skip

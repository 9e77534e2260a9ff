import collections
import hashlib
import json
import pathlib
import sqlite3

import numpy as np
import pytest
import topics
import wordnet
from facts import Relation, fact_lines, facts, neighbours, pairs
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline

import personascan

DATA = pathlib.Path(__file__).parents[1] / "data/facts"
TOPICS = ("animals", "capitals", "continents", "elements", "things")
WORDINGS = ("{value} is the chief town of {entity}.", "The chief town of {entity} is {value}.")
LANDS = [f"land{i:02d}" for i in range(21)]
TOWNS = {land: f"town{i:02d}" for i, land in enumerate(LANDS)}


def accuracy_by_entity(texts, positive_N, entities) -> np.ndarray:
    """Held-out accuracy of word counts in each fold; no entity is on both sides."""
    classifier = make_pipeline(CountVectorizer(), LogisticRegression(max_iter=2000))
    split = GroupKFold(5)
    return cross_val_score(classifier, texts, positive_N, groups=entities, cv=split)


def made():
    return facts(neighbours(LANDS), [Relation(WORDINGS, TOWNS)])


def test_a_false_statement_is_never_true():
    true = {w.format(entity=e, value=v).capitalize() for e, v in TOWNS.items() for w in WORDINGS}
    assert {f.text for f in made() if f.true} == true
    assert not true & {f.text for f in made() if not f.true}


def test_entities_values_and_wordings_are_as_often_true_as_false():
    for named in (LANDS, TOWNS.values(), ["is the chief", "The chief"]):
        for name in named:
            directions = [f.true for f in made() if name in f.text.replace("Town", "town")]
            assert len(directions) >= 4
            assert sum(directions) * 2 == len(directions), name


def test_word_counts_are_at_chance_where_no_entity_is_on_both_sides():
    found = made()
    texts, true_N = [f.text for f in found], np.array([f.true for f in found])
    np.testing.assert_array_equal(
        accuracy_by_entity(texts, true_N, [f.entity for f in found]), [0.5] * 5
    )
    # The measure sees a word that gives truth away.
    told = [t + " surely" * bool(true) for t, true in zip(texts, true_N, strict=True)]
    assert accuracy_by_entity(told, true_N, [f.entity for f in found]).min() == 1.0


def test_three_in_a_group_lend_in_turn():
    found = facts([("a", "b", "c")], [Relation(WORDINGS, {"a": "A", "b": "B", "c": "C"})])
    false = {f.text for f in found if not f.true}
    assert {"B is the chief town of a.", "The chief town of a is C."} <= false
    assert len(false) == 6


@pytest.mark.parametrize(
    "relation",
    [
        Relation(WORDINGS, {"a": "A", "b": "A"}),
        Relation(WORDINGS, {"a": "A"}),
        Relation(WORDINGS, {"a": "A", "b": "B"}, also_of={"b": frozenset("A")}),
    ],
)
def test_what_might_be_true_of_another_is_not_said(relation):
    assert facts([("a", "b")], [relation]) == []


def test_pairs_are_of_classes_that_may_meet():
    class_of = {f"{kind}{i}": kind for kind in ("bird", "fish", "reptile") for i in range(9)}
    kinds = {"bird", "reptile"}
    found = pairs(class_of, lambda a, b: {class_of[a], class_of[b]} != kinds, seed=0)
    assert found == pairs(
        dict(reversed(class_of.items())), lambda a, b: {class_of[a], class_of[b]} != kinds, seed=0
    )
    assert found != pairs(class_of, lambda a, b: True, seed=0)
    used = [entity for pair in found for entity in pair]
    assert len(used) == len(set(used)) >= 18
    assert all({class_of[a], class_of[b]} in ({"bird", "fish"}, {"fish", "reptile"})
               for a, b in found)  # fmt: skip


def test_a_text_that_is_made_twice_is_refused():
    with pytest.raises(personascan.InputError, match="is made twice"):
        fact_lines("towns", made() + made()[:1])


def test_facts_are_read_as_statements(tmp_path):
    (tmp_path / "towns.jsonl").write_text(fact_lines("towns", made()))
    found = personascan.load_statements(tmp_path, persona="towns")
    assert [(s.text, not s.positive, s.entity) for s in found] == made()
    assert {s.topic for s in found} == {"facts"}
    # The same ids as a file without any would be given.
    assert found[0].id == hashlib.sha256(f"towns\n{found[0].text}".encode()).hexdigest()[:16]


@pytest.mark.parametrize("topic", TOPICS)
def test_our_facts_are_balanced_and_at_chance(topic):
    found = personascan.load_statements(DATA, persona=topic, limit=10**6)
    positive_N = np.array([s.positive for s in found])
    assert positive_N.sum() * 2 == len(found)
    assert positive_N.sum() >= 300
    assert len({s.text for s in found}) == len(found)
    by_entity = collections.Counter((s.entity, s.positive) for s in found)
    for (entity, positive), count in by_entity.items():
        assert entity
        assert by_entity[entity, not positive] == count
    # The usual number of statements are whole groups as well.
    for each in (found, personascan.load_statements(DATA, persona=topic)):
        positive_N = np.array([s.positive for s in each])
        accuracy = accuracy_by_entity([s.text for s in each], positive_N, [s.entity for s in each])
        np.testing.assert_array_equal(accuracy, 0.5)


def test_our_facts_are_facts():
    found = {s.text: s.positive for s in personascan.load_statements(DATA, limit=10**6)}
    for text in (
        "Paris is the capital of France.", "Japan is a country in Asia.",
        "The chemical symbol of iron is Fe.", "Gold has atomic number 79.",
        "Chlorine belongs to group 17 of the periodic table.", "An owl is a bird.",
        "A spider is an arachnid.", "A violin counts as a musical instrument.",
    ):  # fmt: skip
        assert found.pop(text) is False  # not in the direction of what is false
    for text, false in found.items():
        assert text.endswith(".")
        assert not text.endswith("..")
        assert false or text not in ("Lyon is the capital of France.", "A bat is a bird.")
    assert "A bat is a mammal." in found


def write_wordnet(folder):
    """A WordNet of a few nouns: (offset, file, words, kind of, gloss)."""
    nouns = [
        ("00000001", "05", ["animal"], "", "a living thing"),
        ("00000002", "05", ["fish"], "00000001", "an animal in water, such as trout or eel"),
        ("00000003", "05", ["bird"], "00000001", "an animal that flies, such as the crane"),
        ("00000004", "05", ["trout"], "00000002", "trout, eel and crane"),
        ("00000005", "13", ["trout"], "", "flesh of trout"),
        ("00000006", "05", ["crane"], "00000003", "a bird"),
        ("00000007", "06", ["crane"], "", "lifts heavy things, as an eel or robin does not"),
        ("00000008", "05", ["robin", "redbreast"], "00000003", "a robin sings"),
        ("00000009", "05", ["robin"], "00000002", "the eel also called robin, with young, eels"),
        ("00000010", "05", ["eel", "eels"], "00000002", "long"),
        ("00000011", "05", ["young"], "00000003", "young of the eels"),
        ("00000012", "05", ["redbreasts", "Redbreast"], "00000003", "an animal"),
    ]
    lines, senses = [], collections.defaultdict(list)
    for offset, file, words, kind, gloss in nouns:
        pointers = f"001 @ {kind} n 0000" if kind else "000"
        forms = " ".join(f"{word} 0" for word in words)
        lines.append(f"{offset} {file} n {len(words):02x} {forms} {pointers} | {gloss}  ")
        for word in words:
            senses[word.lower()].append(offset)
    senses["trout"].reverse()  # the flesh first
    senses["crane"].reverse()
    index = [f"{w} n {len(o)} 1 @ {len(o)} 0 {' '.join(o)}  " for w, o in sorted(senses.items())]
    texts = {
        "data.noun": ["  1 the licence  ", *lines],
        "index.noun": ["  1 the licence  ", *index],
        "cntlist.rev": ["redbreast%1:05:00:: 1 2", "eel%2:05:00:: 1 9"],
        "index.adj": ["young a 1 0 1 0 00000001  "],
    }
    for name in wordnet.FILES:
        (folder / name).write_text("".join(f"{line}\n" for line in texts.get(name, [])))
    return folder


def test_known_words_of_one_class_are_taken(tmp_path):
    net = wordnet.read_wordnet(write_wordnet(tmp_path))
    assert wordnet.kinds(net, "00000004") == {"00000004", "00000002", "00000001"}
    # A trout is food first; a crane lifts first; robins are both; young is an adjective; eels and
    # redbreasts are plurals.
    classes, none = ("fish", "bird"), frozenset()
    found = wordnet.known_members(net, classes, wordnet.ANIMAL, none)
    assert found == {"trout": "fish", "eel": "fish", "redbreast": "bird"}
    found = wordnet.known_members(net, classes, wordnet.ANIMAL, frozenset(["eel"]))
    assert sorted(found) == ["redbreast", "trout"]
    with pytest.raises(personascan.InputError, match="WordNet has no 'insect'"):
        wordnet.known_members(net, ("insect",), wordnet.ANIMAL, none)
    with pytest.raises(personascan.InputError, match="apt-get install wordnet-base"):
        wordnet.read_wordnet(tmp_path / "nowhere")


def write_packages(folder):
    """The files of countryinfo and mendeleev, with few countries and elements."""
    (folder / "data").mkdir()
    for name, capital, region, subregion, people in (
        ("France", "Paris", "Europe", "Western Europe", 6e7),
        ("Belgium", "Brussels", "Europe", "Western Europe", 1e7),
        ("Tunisia", "Tunis", "Africa", "Northern Africa", 1e7),
        ("Mali", "Bamako", "Africa", "Western Africa", 1e7),
        ("Bolivia", "Sucre", "Americas", "Latin America and the Caribbean", 1e7),
        ("United States", "Washington D.C.", "Americas", "Northern America", 3e8),
        ("Tuvalu", "Funafuti", "Oceania", "Polynesia", 1e4),
        ("Guam", "Hagåtña", "Oceania", "Micronesia", 1e5),
        ("Vatican City State", ["Vatican City"], "Europe", "Southern Europe", 1e6),
    ):
        row = {"name": name, "capital": capital, "region": region, "subregion": subregion,
               "population": people,
               "intermediateregion": "South America" if name == "Bolivia" else ""}  # fmt: skip
        (folder / "data" / f"{name}.json").write_text(json.dumps(row))
    with sqlite3.connect(folder / "elements.db") as base:
        base.execute("create table elements (name, symbol, atomic_number, group_id, period)")
        rows = [("Sodium", "Na", 11, 1, 3), ("Neon", "Ne", 10, 18, 2), ("Helium", "He", 2, 18, 1),
                ("Hydrogen", "H", 1, 1, 1), ("Holmium", "Ho", 67, None, 6)]  # fmt: skip
        base.executemany("insert into elements values (?, ?, ?, ?, ?)", rows)
    base.close()
    return folder


def test_topics_of_tiny_packages(tmp_path, monkeypatch):
    write_packages(tmp_path)
    write_wordnet(tmp_path)
    monkeypatch.setattr(topics, "package_folder", lambda name: tmp_path)
    for name in ("ANIMALS", "THINGS"):
        monkeypatch.setattr(topics, name, ("fish", "bird"))
    monkeypatch.setattr(topics, "ARTIFACT", topics.ANIMAL)
    found = topics.make_topics(tmp_path, seed=0)
    assert found == topics.make_topics(tmp_path, seed=0)
    assert all(sum(f.true for f in each) * 2 == len(each) > 0 for each in found.values())
    said = {name: {f.text: f.true for f in each} for name, each in found.items()}
    # Tunis is given away, Bolivia has two capitals; the others are too small or no countries.
    assert {e for f in found["capitals"] for e in f.entity.split(", ")} == {
        "Belgium", "France", "Mali", "United States",
    }  # fmt: skip
    assert said["capitals"]["Paris is the capital of Belgium."] is False
    assert said["capitals"]["Washington is the capital of the United States."] is True
    assert said["continents"]["Bolivia is a country in South America."] is True
    assert "Tunis, the capital of Tunisia, lies in Africa." not in said["continents"]
    assert said["elements"]["Neon has atomic number 11."] is False
    # Hydrogen and helium, which lend to each other, are in one period.
    assert said["elements"]["Sodium stands in period 2 of the periodic table."] is False
    assert not any("period 1" in text for text in said["elements"])
    assert not any("group" in text for text in said["elements"] if "olmium" in text)
    assert said["animals"] | {"A redbreast is a bird.": True} == said["animals"]


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(topics.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        personascan.InputError,
        match=r"mendeleev 1\.3\.0 is not installed; pip install --no-deps countryinfo==1\.0\.1",
    ):
        topics.package_folder("mendeleev")

"""WordNet's files of nouns: which known words name one kind of thing.

Format: the manual pages wndb(5WN) and cntlist(5WN) of Debian's wordnet-base.
"""

import collections
import pathlib
import re
from typing import NamedTuple

from personascan.errors import InputError

FILES = ("data.noun", "data.verb", "data.adj", "data.adv", "index.noun", "index.adj",
         "noun.exc", "cntlist.rev")  # fmt: skip
ANIMAL, ARTIFACT, FOOD = "05", "06", "13"  # lexicographer files
KNOWN = 2  # in so many glosses and tagged texts a word has to occur


class Synset(NamedTuple):
    """One meaning: its words, the synsets it is a kind of, and its lexicographer file."""

    words: tuple[str, ...]
    kind_of: tuple[str, ...]
    file: str


class WordNet(NamedTuple):
    """Nouns, and how often words occur."""

    synsets: dict[str, Synset]  # by offset
    senses: dict[str, list[str]]  # offsets of a word's meanings, the most frequent first
    uses: collections.Counter  # glosses that a word occurs in
    tagged: dict[tuple[str, int], int]  # (word, number of sense): times in tagged texts
    inflected: frozenset[str]  # irregular plurals, and words that are adjectives as well


def read_wordnet(folder: pathlib.Path) -> WordNet:
    """The nouns of a folder such as /usr/share/wordnet. Raises InputError where files lack."""
    if missing := [name for name in FILES if not (folder / name).is_file()]:
        raise InputError(
            f"{folder} has no {missing[0]} of WordNet; apt-get install wordnet-base, or name its "
            "folder"
        )
    synsets, uses = {}, collections.Counter()
    for name in FILES[:4]:
        for line in entries(folder / name):
            fields, _, gloss = line.partition(" | ")
            uses.update(set(re.findall("[a-z]+", gloss.lower())))
            if name == "data.noun":
                synsets |= [synset_of(fields.split())]
    senses = {}
    for line in entries(folder / "index.noun"):
        word, _, count, *rest = line.split()
        senses[word] = rest[-int(count) :]
    tagged = {}
    for line in entries(folder / "cntlist.rev"):
        key, number, times = line.split()
        word, _, place = key.partition("%")
        if place[0] == "1":  # a noun
            tagged[word, int(number)] = int(times)
    inflected = {
        line.split()[0] for name in ("index.adj", "noun.exc") for line in entries(folder / name)
    }
    return WordNet(synsets, senses, uses, tagged, frozenset(inflected))


def entries(path: pathlib.Path):
    """The lines of a file without the licence in front, which is indented."""
    with path.open(encoding="utf-8") as lines:
        yield from (line for line in lines if not line.startswith(" "))


def synset_of(fields: list[str]) -> tuple[str, Synset]:
    """(offset, synset) of a line of data.noun; @ and @i point to what it is a kind of."""
    words = 4 + 2 * int(fields[3], 16)
    pointers = fields[words + 1 :]
    kind_of = [
        pointers[i + 1] for i in range(0, 4 * int(fields[words]), 4) if pointers[i] in ("@", "@i")
    ]
    return fields[0], Synset(tuple(fields[4:words:2]), tuple(kind_of), fields[1])


def kinds(net: WordNet, offset: str) -> set[str]:
    """A synset and all that it is a kind of."""
    found, waiting = set(), [offset]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += net.synsets[one].kind_of
    return found


def known_members(
    net: WordNet, classes: tuple[str, ...], file: str, unused: frozenset[str]
) -> dict[str, str]:
    """{word: its class} of known single words of exactly one class, over all their meanings.

    The first meaning has to be of the class, or an animal's second where the first is food (as of
    many fish). Plurals, words that are adjectives as well and `unused` are left out.
    """
    roots = {root_of(net, name, file): name for name in classes}
    found = {}
    for word, offsets in net.senses.items():
        if not re.fullmatch("[a-z]{3,}", word) or word in unused or is_inflected(net, word):
            continue
        above = [kinds(net, o) - {o} for o in offsets]
        of_class = [{name for root, name in roots.items() if root in each} for each in above]
        places = [i for i, names in enumerate(of_class) if names]
        if len(set().union(*of_class)) != 1 or word not in net.synsets[offsets[places[0]]].words:
            continue
        is_food = file == ANIMAL and net.synsets[offsets[0]].file == FOOD
        times = net.uses[word] + net.tagged.get((word, places[0] + 1), 0)
        if times >= KNOWN and (places[0] == 0 or (places[0] == 1 and is_food)):
            found[word] = next(iter(of_class[places[0]]))
    return found


def is_inflected(net: WordNet, word: str) -> bool:
    return word in net.inflected or (word.endswith("s") and word[:-1] in net.senses)


def root_of(net: WordNet, name: str, file: str) -> str:
    """The meaning of a class's name in a lexicographer file."""
    for offset in net.senses.get(name.replace(" ", "_"), ()):
        if net.synsets[offset].file == file:
            return offset
    raise InputError(f"WordNet has no {name!r} in its file {file}; check the spelling")

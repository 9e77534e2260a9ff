"""The topics of true and false statements: what is said of countries, elements, animals, things.

Countries come from countryinfo, elements from mendeleev, kinds of animals and things from WordNet.
The packages are read as files, and needed here alone. What they have that is disputed, changed
since, or true in part is left out by name.
"""

import collections
import importlib.metadata
import importlib.util
import json
import pathlib
import re
import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from facts import (
    Fact,
    Relation,
    drawn,
    facts,
    neighbours_within,
    pairs,
    shuffled,
)
from left_out import (
    PARTS_ELSEWHERE,
    TWO_CONTINENTS,
    UNSETTLED_CAPITAL,
    UNUSED_ANIMALS,
    UNUSED_COUNTRIES,
    UNUSED_THINGS,
    WITH_THE,
)
from wordnet import ANIMAL, ARTIFACT, known_members, read_wordnet

from personascan.errors import InputError

PACKAGES = {"countryinfo": "1.0.1", "mendeleev": "1.3.0"}
INSTALL = "pip install --no-deps " + " ".join(f"{name}=={v}" for name, v in PACKAGES.items())
WORDNET = pathlib.Path("/usr/share/wordnet")
LEAST_POPULATION = 90_000  # a smaller country is hardly known
F_BLOCK = {*range(57, 72), *range(89, 104)}  # whose groups are disputed or none
ANIMALS = (
    "mammal", "bird", "fish", "insect", "reptile", "amphibian", "crustacean", "mollusk",
    "arachnid",
)  # fmt: skip
THINGS = (
    "musical instrument", "weapon", "tool", "vehicle", "garment", "piece of furniture", "building",
)  # fmt: skip
# Classes of which one may pass for the other: birds descend from reptiles, insects from
# crustaceans, clams are shellfish, and a tool is whatever one uses.
NEVER_MEET = {
    frozenset(pair)
    for pair in (
        ("bird", "reptile"), ("insect", "crustacean"), ("fish", "crustacean"), ("fish", "mollusk"),
        ("tool", "weapon"), ("tool", "vehicle"), ("tool", "musical instrument"),
        ("weapon", "vehicle"),
    )
}  # fmt: skip


class Country(NamedTuple):
    name: str
    capital: str
    continent: str
    subregion: str


def make_topics(wordnet=WORDNET, seed: int = 0) -> dict[str, list[Fact]]:
    """{topic: its statements}. Raises InputError for a package that is not installed."""
    countries = read_countries(package_folder("countryinfo") / "data")
    elements = read_elements(package_folder("mendeleev") / "elements.db")
    net = read_wordnet(pathlib.Path(wordnet))
    animals = known_members(net, ANIMALS, ANIMAL, UNUSED_ANIMALS)
    things = known_members(net, THINGS, ARTIFACT, UNUSED_THINGS)
    return {
        "capitals": of_capitals(countries, seed),
        "continents": of_continents(countries, seed),
        "elements": of_elements(elements, seed),
        "animals": of_kinds(animals, seed),
        "things": of_kinds(things, seed),
    }


def package_folder(name: str) -> pathlib.Path:
    """The folder of an installed package, which is not imported."""
    spec = importlib.util.find_spec(name)
    if spec is None or importlib.metadata.version(name) != PACKAGES[name]:
        raise InputError(f"{name} {PACKAGES[name]} is not installed; {INSTALL}")
    return pathlib.Path(spec.submodule_search_locations[0])


def read_countries(folder: pathlib.Path) -> list[Country]:
    """The countries of countryinfo that are known enough, by name."""
    found = {}
    for file in sorted(folder.glob("*.json")):
        row = json.loads(file.read_text(encoding="utf-8"))
        name, capital = row["name"], row.get("capital")
        known = (row.get("population") or 0) >= LEAST_POPULATION and isinstance(capital, str)
        if known and capital and name not in UNUSED_COUNTRIES:
            capital = capital.removesuffix(" D.C.")  # whose full stop a sentence would double
            found[name] = Country(name, capital, continent_of(row), row["subregion"])
    return [found[name] for name in sorted(found)]


def continent_of(row: dict) -> str:
    if row["region"] != "Americas":
        return row["region"]
    south = row.get("intermediateregion") == "South America"
    return "South America" if south else "North America"


def called(name: str) -> str:
    """A country's name inside a sentence."""
    return f"the {name.removeprefix('The ')}" if name in WITH_THE else name


def of_capitals(countries: list[Country], seed: int) -> list[Fact]:
    """Capitals, false by that of another country of the same subregion."""
    used = [c for c in countries if has_known_capital(c)]
    used.sort(key=lambda c: (c.continent, c.subregion, drawn(c.name, seed)))
    relation = Relation(
        (
            "{value} is the capital of {entity}.",
            "The capital of {entity} is {value}.",
            "The capital city of {entity} is {value}.",
        ),
        {c.name: c.capital for c in used},
        {c.name: called(c.name) for c in used},
    )
    by_subregion = collections.defaultdict(list)
    for c in used:
        by_subregion[c.continent, c.subregion].append(c.name)
    groups = neighbours_within(list(by_subregion.values()))
    return facts(shuffled(groups, seed), [relation])


def has_known_capital(country: Country) -> bool:
    """Whether it has one, whose name its own does not give away, as Tunisia's does Tunis."""
    starts = [
        {word[:3].lower() for word in re.findall(r"\w{3,}", name)}
        for name in (country.name, country.capital)
    ]
    return country.name not in UNSETTLED_CAPITAL and not starts[0] & starts[1]


def of_continents(countries: list[Country], seed: int) -> list[Fact]:
    """Continents of countries and of their capitals, which other cities may be called like."""
    used = [c for c in countries if c.name not in TWO_CONTINENTS]
    continent_of_name = {c.name: c.continent for c in used}
    capitals = {
        c.name: f"{c.capital}, the capital of {called(c.name)},"
        for c in used
        if has_known_capital(c)
    }

    def may_meet(one: str, other: str) -> bool:
        return continent_of_name[other] not in PARTS_ELSEWHERE.get(one, ()) and continent_of_name[
            one
        ] not in PARTS_ELSEWHERE.get(other, ())

    relations = [
        Relation(
            ("{entity} is a country in {value}.", "The country of {entity} lies in {value}."),
            continent_of_name,
            {c.name: called(c.name) for c in used},
            PARTS_ELSEWHERE,
        ),
        Relation(
            ("{entity} lies in {value}.",),
            {name: continent_of_name[name] for name in capitals},
            capitals,
        ),
    ]
    return facts(shuffled(pairs(continent_of_name, may_meet, seed), seed), relations)


def read_elements(path: pathlib.Path) -> list[dict]:
    """The elements of mendeleev by number: name, symbol, atomic_number, group_id, period."""
    columns = ("name", "symbol", "atomic_number", "group_id", "period")
    query = f"select {', '.join(columns)} from elements order by atomic_number"  # of names above
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        return [dict(zip(columns, row, strict=True)) for row in connection.execute(query)]
    finally:
        connection.close()


def of_elements(elements: list[dict], seed: int) -> list[Fact]:
    """Symbol, number, group and period, false by those of the next element of the same initial.

    A symbol mostly begins as its element does: that of another initial would be told by spelling.
    """
    elements = [row | {"name": row["name"].lower()} for row in elements]
    order = sorted(elements, key=lambda row: (row["symbol"][0], row["atomic_number"]))

    def values(column: str, rows: Iterable[dict] = elements) -> dict[str, str]:
        return {row["name"]: str(row[column]) for row in rows if row[column]}

    grouped = [row for row in elements if row["atomic_number"] not in F_BLOCK]
    relations = [
        Relation(("The chemical symbol of {entity} is {value}.",), values("symbol")),
        Relation(
            ("The atomic number of {entity} is {value}.", "{entity} has atomic number {value}."),
            values("atomic_number"),
        ),
        Relation(
            ("{entity} belongs to group {value} of the periodic table.",),
            values("group_id", grouped),
        ),
        Relation(("{entity} stands in period {value} of the periodic table.",), values("period")),
    ]
    by_initial = collections.defaultdict(list)
    for row in order:
        by_initial[row["symbol"][0]].append(row["name"])
    return facts(shuffled(neighbours_within(list(by_initial.values())), seed), relations)


def of_kinds(class_of: dict[str, str], seed: int) -> list[Fact]:
    """What kind of animal or thing a word names."""

    def may_meet(one: str, other: str) -> bool:
        return frozenset((class_of[one], class_of[other])) not in NEVER_MEET

    wordings = "{an_entity} is {a_value}.", "{an_entity} counts as {a_value}."
    return facts(shuffled(pairs(class_of, may_meet, seed), seed), [Relation(wordings, class_of)])

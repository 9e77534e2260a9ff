"""Recipes: whether sites and positions of answers agree, in the layers and the nodes they name."""

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from personascan.interventions.directions import PlaceStatistics
from personascan.study.rows import StoredRows
from personascan.study.stage import Phase, Stage, Table
from personascan.study.stages import where
from personascan.study.units import Unit, Work

SHARE = 0.05  # of a place's nodes: those that differ most
LEAST_LAYERS = 4  # that two recipes have in common, to be ranked

Recipe = tuple[str, str]  # (site, position)


@dataclass(frozen=True)
class Agreement:
    """How far two recipes agree on a comparison; NaN where it cannot be said."""

    one: Recipe
    other: Recipe
    rank_correlation: float  # of z, over the layers of both (Spearman)
    overlap: float  # share of the nodes that differ most which are the same, at one layer
    chance: float  # what it would be of nodes drawn at random


@dataclass(frozen=True)
class Recipes:
    """The recipes of a comparison."""

    agreements: tuple[Agreement, ...]
    chosen: dict[str, Recipe]  # {half: what it chose}


def work(case) -> Work:
    """Returns the unit of the nodes of all recipes, at the layer of the furthest place."""
    places = same_layer(case)
    rows = [case.rows(place) for place in places]
    positive_N = case.pool.positive_N
    inputs = {"places": [one.inputs(positive_N) for one in rows], "share": SHARE}
    return Work(Unit("recipes", inputs), do, (rows, positive_N))


def same_layer(case) -> list:
    layer = case.furthest().layer
    return [place for line in case.lines.values() for place in line if place.layer == layer]


def do(rows: list[StoredRows], positive_N):
    """Returns the share [R, R] of the nodes that differ most which two recipes have in common."""
    sets = []
    for one in rows:
        differs_D = np.abs(PlaceStatistics(one.array(), positive_N).cohen_D)
        most = max(1, round(SHARE * differs_D.size))
        sets.append((one.shape[1], set(np.argsort(-differs_D, kind="stable")[:most].tolist())))
    overlap_RR = np.full((len(sets), len(sets)), np.nan)
    for (i, (a, first)), (j, (b, second)) in itertools.product(enumerate(sets), repeat=2):
        if a == b:
            overlap_RR[i, j] = len(first & second) / len(first)
    return {}, {"overlap_RR": overlap_RR}


def recipes_of(case) -> Recipes:
    """Returns the agreement of each pair of recipes, from finished units."""
    places = same_layer(case)
    overlap_RR = case.read(work(case)).arrays["overlap_RR"]
    number = {(place.site, place.position): i for i, place in enumerate(places)}
    tests = case.calibrations[where.ALL]
    z = {
        line: {place.layer: tests.z[tests.keys.index(place)] for place in own}
        for line, own in case.lines.items()
    }
    agreements = []
    for one, other in itertools.combinations(z, 2):
        overlap = np.nan
        if one in number and other in number:
            overlap = float(overlap_RR[number[one], number[other]])
        agreements.append(Agreement(one, other, rank_correlation(z[one], z[other]), overlap, SHARE))
    chosen = {half: (p.site, p.position) for half, _, p, _ in case.choices()}
    return Recipes(tuple(agreements), chosen)


def rank_correlation(one: dict, other: dict) -> float:
    layers = sorted(one.keys() & other.keys())
    values = [[z[layer] for layer in layers] for z in (one, other)]
    if len(layers) < LEAST_LAYERS or any(np.ptp(v) == 0 for v in values):
        return np.nan
    return float(spearmanr(*values).statistic)


def asked(level) -> list:
    if not level.config.conversations:
        return []
    return [case for case in level.cases if case.portions and len(case.lines) > 1]


def table_rows(part):
    """Yields the agreement of each pair of recipes."""
    for name, recipes in part.recipes.items():
        for a in recipes.agreements:
            yield name, *a.one, *a.other, a.rank_correlation, a.overlap, a.chance


STAGE = Stage(
    "recipes",
    Phase.CHOSEN,
    works=lambda level: [work(case) for case in asked(level)],
    count=lambda counted: (
        counted.comparisons
        * bool(counted.config.conversations and counted.lines > 1)
        * counted.permuted
    ),
    read=lambda level: {"recipes": {case.name: recipes_of(case) for case in asked(level)}},
    tables={
        "recipes": Table(
            (
                "comparison", "site", "position", "other_site", "other_position",
                "rank_correlation", "node_overlap", "chance",
            ),
            table_rows,
        )
    },
)  # fmt: skip

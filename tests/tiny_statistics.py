"""Rows that found a node set, for the tests."""

import dataclasses

import numpy as np

from personascan.interventions.design import (
    Heads,
    all_edits,
)
from personascan.interventions.directions import (
    PlaceStatistics,
)
from personascan.interventions.options import (
    InterventionOptions,
)
from personascan.places import Place

ROWS, NODES, WIDTH = 60, 48, 8
POSITIVE = np.arange(ROWS) % 3 == 0
PLACE, AT = Place("mlp_out", 2, "last"), ("mlp_out", 2)
HEADS_AT = ("head_out", 2)
FOUND_NODES = [3, 10, 17, 30]
OPTIONS = InterventionOptions(controls=3, draws=4, strengths=(-2.0, 3.0))


def rows(seed=0, nodes=NODES):
    """Nodes of very different deviation; the found ones are apart, every other one downwards."""
    rng = np.random.default_rng(seed)
    place = rng.normal(rng.normal(size=nodes), np.geomspace(0.01, 100, nodes), (ROWS, nodes))
    place[:, FOUND_NODES] += POSITIVE[:, None] * [1, -1, 1, -1] * 3 * place[:, FOUND_NODES].std(0)
    return place.astype(np.float32)


def statistics(seed=0, nodes=NODES):
    return PlaceStatistics(rows(seed, nodes), POSITIVE)


def found_set(nodes=NODES):
    signed = np.zeros(nodes, np.int8)
    signed[FOUND_NODES] = [1, -1, 1, -1]
    return signed


def edits_of(options=OPTIONS, seed=5, signed=None, there=None, **more):
    signed = found_set() if signed is None else signed
    return all_edits(PLACE, signed, there or statistics(), options, seed, **more)


def heads():
    return Heads(Place("head_out", 2, "last"), statistics(7), WIDTH)


def key(edit):
    return edit.method, edit.action, None if np.isnan(edit.strength) else edit.strength, edit.number


def values(edit):
    """All that a edit does, as comparable bytes."""
    return {
        at: tuple(None if a is None else a.tobytes() for a in dataclasses.astuple(change))
        for at, change in edit.changes.items()
    }


def by_key(edits):
    found = {(*key(edit), edit.draw): values(edit) for edit in edits}
    assert len(found) == len(edits)  # no edit twice
    return found

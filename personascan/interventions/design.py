"""All edits by which a node set is tested: its own, and those of the controls it must beat."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from personascan.direction import Direction
from personascan.interventions.directions import (
    PlaceStatistics,
    head_set,
    largest_set,
    matched_set,
    random_direction,
    random_set,
    scale_to_norm,
)
from personascan.interventions.edits import (
    UNEDITED,
    Change,
    NamedEdit,
    add_vector,
    cap_projection,
    project_out,
    replace_nodes,
    site_layer,
)
from personascan.interventions.options import (
    CONTROLS,
    MATCHED,
    RANDOM,
    RANDOM_DIRECTION,
    InterventionOptions,
)
from personascan.places import Place

FOUND = "found nodes"
TOP, COHEN, HEADS = "largest mean difference", "largest Cohen's d", "whole heads"
FOUND_DIFFERENCE = "mean difference on found nodes"
DIFFERENCE, READOUT = "mean difference", "ridge direction"
METHODS = (*CONTROLS, FOUND, TOP, COHEN, HEADS, FOUND_DIFFERENCE, DIFFERENCE, READOUT)
STEER, PROJECT = "steer", "project out"
SETS, LIKE, DIRECTIONS, ROWS = range(4)  # random streams


@dataclass(frozen=True)
class Heads:
    """The heads of a place's layer, whose outputs are another site."""

    place: Place
    statistics: PlaceStatistics
    width: int  # nodes of a head


def ablation(kind: str) -> str:
    return f"ablate ({kind})"


def capping(quantile: float) -> str:
    return f"cap ({quantile:g})"


def all_edits(
    place: Place,
    signed_D,
    statistics: PlaceStatistics,
    options: InterventionOptions,
    seed: int,
    heads: Heads | None = None,
    imported: tuple[Direction, ...] = (),
) -> list[NamedEdit]:
    """Returns the unedited model first, then every edit.

    The found set is ablated, steered along, patched and capped; so are sets of as many nodes of
    every control. Directions are as long as one background deviation at every found node, so that a
    strength is the same size of push for all of them.
    """
    size = int(np.count_nonzero(signed_D))
    edits, at = [UNEDITED], site_layer(place)
    edits += set_edits(FOUND, 0, at, signed_D, statistics, options, options.ablations, seed)
    first = options.ablations[:1]
    controls = {
        TOP: largest_set(size, statistics.difference_D, statistics),
        COHEN: largest_set(size, statistics.cohen_D, statistics),
    }
    for method, control_D in controls.items():
        edits += set_edits(method, 0, at, control_D, statistics, options, first, seed)
    if heads is not None:
        chosen_D = head_set(size, heads.statistics, heads.width)
        edits += set_edits(
            HEADS, 0, site_layer(heads.place), chosen_D, heads.statistics, options, first, seed
        )
    for k in range(options.controls):
        rng = np.random.default_rng([seed, SETS, k])
        edits += set_edits(
            RANDOM, k, at, random_set(size, statistics, rng), statistics, options, first, seed
        )
        if MATCHED in options.against:
            rng = np.random.default_rng([seed, LIKE, k])
            like_D = matched_set(signed_D, statistics, rng)
            edits += set_edits(MATCHED, k, at, like_D, statistics, options, first, seed)
    return edits + list(direction_edits(at, signed_D, statistics, options, seed, imported))


def set_edits(
    method: str,
    number: int,
    at,
    signed_D,
    statistics: PlaceStatistics,
    options: InterventionOptions,
    kinds,
    seed: int,
) -> Iterator[NamedEdit]:
    """Yields the edits that set a node set to other values, and that push it in its direction."""
    for kind in kinds:
        for draw, row_D in enumerate(replacement_rows(kind, statistics, options, seed)):
            change = {at: replace_nodes(signed_D, row_D)}
            yield NamedEdit(method, ablation(kind), number=number, draw=draw, changes=change)
    push_D = statistics.push(signed_D)
    for strength in options.strengths:
        yield NamedEdit(
            method, STEER, strength, number, changes={at: add_vector(strength * push_D)}
        )
    yield from cap_edits(method, number, at, push_D, statistics, options)


def cap_edits(
    method: str, number: int, at, direction_D, statistics: PlaceStatistics, options
) -> Iterator[NamedEdit]:
    """Yields the edits that keep projections at quantiles of the background's, or below."""
    length = np.linalg.norm(direction_D)
    for quantile in options.caps:
        if length:
            projection_B = statistics.background_BD @ (direction_D / length)
            change = cap_projection(direction_D, float(np.quantile(projection_B, quantile)))
        else:  # nodes that never vary are pushed nowhere
            change = add_vector(direction_D)
        yield NamedEdit(method, capping(quantile), number=number, changes={at: change})


def replacement_rows(
    kind: str, statistics: PlaceStatistics, options: InterventionOptions, seed: int
) -> np.ndarray:
    """Returns the rows that nodes are set to: one, or several that are drawn."""
    if kind == "mean":
        return statistics.mean_D[None]
    if kind == "zero":
        return np.zeros((1, statistics.mean_D.size))
    rows_ND = statistics.background_BD if kind == "resample" else statistics.positive_ND
    rng = np.random.default_rng([seed, ROWS])
    return rows_ND[rng.permutation(len(rows_ND))[: options.draws]]


def direction_edits(
    at, signed_D, statistics: PlaceStatistics, options, seed: int, imported
) -> Iterator[NamedEdit]:
    """Yields the edits that push along directions of equal length, project them out, and cap them.

    Those made elsewhere are not capped: they may lie at places whose background is not known.
    """
    norm = np.linalg.norm(statistics.push(signed_D))
    own = {
        FOUND_DIFFERENCE: np.where(signed_D != 0, statistics.difference_D, 0),
        DIFFERENCE: statistics.difference_D,
        READOUT: statistics.readout_D,
    }
    for method, direction_D in own.items():
        yield from edits_along(
            method, 0, at, scale_to_norm(direction_D, 1), norm, statistics, options
        )
    for k in range(options.controls if RANDOM_DIRECTION in options.against else 0):
        rng = np.random.default_rng([seed, DIRECTIONS, k])
        direction_D = random_direction(1, statistics.mean_D.size, rng)
        yield from edits_along(RANDOM_DIRECTION, k, at, direction_D, norm, statistics, options)
    for name, one in zip(unique_names([one.name for one in imported]), imported, strict=True):
        whole = np.sqrt(sum(float(shift_D @ shift_D) for shift_D in one.shift.values()))
        for strength in options.strengths:
            changes: dict[tuple[str, int], Change] = {
                where: add_vector(strength * shift_D * (norm / whole))
                for where, shift_D in one.shift.items()
            }
            yield NamedEdit(name, STEER, strength, changes=changes)


def edits_along(
    method: str, number: int, at, unit_D, norm, statistics, options
) -> Iterator[NamedEdit]:
    change = {at: project_out(unit_D, statistics.mean_D)}
    yield NamedEdit(method, PROJECT, number=number, changes=change)
    for strength in options.strengths:
        change = {at: add_vector(strength * norm * unit_D)}
        yield NamedEdit(method, STEER, strength, number, changes=change)
    yield from cap_edits(method, number, at, unit_D, statistics, options)


def unique_names(names: list[str]) -> list[str]:
    """Returns the names, numbered where another method or direction has one of them already.

    Outcomes of equal names would be averaged as draws of one edit.
    """
    used, unique = set(METHODS), []
    for name in names:
        same = (f"{name} ({number})" for number in itertools.count(2))
        unique.append(next(one for one in itertools.chain([name], same) if one not in used))
        used.add(unique[-1])
    return unique


def count_edits(options: InterventionOptions) -> int:
    """Returns how many edits `all_edits` gives for a set, without heads."""
    draws = {"resample": options.draws, "patch": options.draws}
    pushes = len(options.strengths) + len(options.caps)
    own = sum(draws.get(kind, 1) for kind in options.ablations) + pushes
    first = draws.get(options.ablations[0], 1) + pushes
    sets = 2 + options.controls * len({RANDOM, MATCHED} & set(options.against))
    directions = 3 + options.controls * (RANDOM_DIRECTION in options.against)
    pushed = len(options.directions) * len(options.strengths)
    return 1 + own + sets * first + directions * (1 + pushes) + pushed

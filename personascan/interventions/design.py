"""All ways in which a node set is tested: its own, and those of the controls it must beat."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from personascan.interventions.directions import (
    Ground,
    head_set,
    largest_set,
    matched_set,
    of_norm,
    random_direction,
    random_set,
)
from personascan.interventions.exchange import Direction
from personascan.interventions.options import (
    CONTROLS,
    MATCHED,
    RANDOM,
    RANDOM_DIRECTION,
    InterventionOptions,
)
from personascan.interventions.ways import (
    UNEDITED,
    Change,
    Way,
    projected_out,
    replaced,
    shifted,
    site_layer,
)
from personascan.places import Place

FOUND = "found nodes"
TOP, COHEN, HEADS = "largest mean difference", "largest Cohen's d", "whole heads"
FOUND_DIFFERENCE = "mean difference on found nodes"
DIFFERENCE, READOUT = "mean difference", "ridge direction"
METHODS = (*CONTROLS, FOUND, TOP, COHEN, HEADS, FOUND_DIFFERENCE, DIFFERENCE, READOUT)
STEER, PROJECT = "steer", "project out"
SETS, LIKE, DIRECTIONS, ROWS = range(4)  # streams of draws


@dataclass(frozen=True)
class Heads:
    """The heads of the place's layer, as another site has them."""

    place: Place
    ground: Ground
    width: int  # nodes of a head


def ablation(kind: str) -> str:
    return f"ablate ({kind})"


def designed(
    place: Place,
    signed_D,
    ground: Ground,
    options: InterventionOptions,
    seed: int,
    heads: Heads | None = None,
    imported: tuple[Direction, ...] = (),
) -> list[Way]:
    """The unedited model first, then every way.

    The found set is ablated, steered along and patched; so are as many nodes of every control.
    Directions are as long as one background deviation at every found node, so that a strength is
    the same size of push for all of them.
    """
    size = int(np.count_nonzero(signed_D))
    ways, at = [UNEDITED], site_layer(place)
    ways += of_set(FOUND, 0, at, signed_D, ground, options, options.ablations, seed)
    first = options.ablations[:1]
    controls = {
        TOP: largest_set(size, ground.difference_D, ground),
        COHEN: largest_set(size, ground.cohen_D, ground),
    }
    for method, control_D in controls.items():
        ways += of_set(method, 0, at, control_D, ground, options, first, seed)
    if heads is not None:
        chosen_D = head_set(size, heads.ground, heads.width)
        ways += of_set(
            HEADS, 0, site_layer(heads.place), chosen_D, heads.ground, options, first, seed
        )
    for k in range(options.controls):
        rng = np.random.default_rng([seed, SETS, k])
        ways += of_set(RANDOM, k, at, random_set(size, ground, rng), ground, options, first, seed)
        if MATCHED in options.against:
            rng = np.random.default_rng([seed, LIKE, k])
            like_D = matched_set(signed_D, ground, rng)
            ways += of_set(MATCHED, k, at, like_D, ground, options, first, seed)
    return ways + list(of_directions(at, signed_D, ground, options, seed, imported))


def of_set(
    method: str,
    number: int,
    at,
    signed_D,
    ground: Ground,
    options: InterventionOptions,
    kinds,
    seed: int,
) -> Iterator[Way]:
    """A node set, set to other values, and pushed in its direction."""
    for kind in kinds:
        for draw, row_D in enumerate(put_there(kind, ground, options, seed)):
            change = {at: replaced(signed_D, row_D)}
            yield Way(method, ablation(kind), number=number, draw=draw, changes=change)
    push_D = ground.push(signed_D)
    for strength in options.strengths:
        yield Way(method, STEER, strength, number, changes={at: shifted(strength * push_D)})


def put_there(kind: str, ground: Ground, options: InterventionOptions, seed: int) -> np.ndarray:
    """What nodes are set to: one row, or several that are drawn."""
    if kind == "mean":
        return ground.mean_D[None]
    if kind == "zero":
        return np.zeros((1, ground.mean_D.size))
    rows_ND = ground.background_BD if kind == "resample" else ground.raised_ND
    rng = np.random.default_rng([seed, ROWS])
    return rows_ND[rng.permutation(len(rows_ND))[: options.draws]]


def of_directions(at, signed_D, ground: Ground, options, seed: int, imported) -> Iterator[Way]:
    """Directions of equal length: pushed along, and projected out."""
    norm = np.linalg.norm(ground.push(signed_D))
    own = {
        FOUND_DIFFERENCE: np.where(signed_D != 0, ground.difference_D, 0),
        DIFFERENCE: ground.difference_D,
        READOUT: ground.readout_D,
    }
    for method, direction_D in own.items():
        yield from of_direction(method, 0, at, of_norm(direction_D, 1), norm, ground, options)
    for k in range(options.controls if RANDOM_DIRECTION in options.against else 0):
        rng = np.random.default_rng([seed, DIRECTIONS, k])
        direction_D = random_direction(1, ground.mean_D.size, rng)
        yield from of_direction(RANDOM_DIRECTION, k, at, direction_D, norm, ground, options)
    for name, one in zip(told_apart([one.name for one in imported]), imported, strict=True):
        whole = np.sqrt(sum(float(shift_D @ shift_D) for shift_D in one.shift.values()))
        for strength in options.strengths:
            changes: dict[tuple[str, int], Change] = {
                where: shifted(strength * shift_D * (norm / whole))
                for where, shift_D in one.shift.items()
            }
            yield Way(name, STEER, strength, changes=changes)


def of_direction(method: str, number: int, at, unit_D, norm, ground, options) -> Iterator[Way]:
    change = {at: projected_out(unit_D, ground.mean_D)}
    yield Way(method, PROJECT, number=number, changes=change)
    for strength in options.strengths:
        change = {at: shifted(strength * norm * unit_D)}
        yield Way(method, STEER, strength, number, changes=change)


def told_apart(names: list[str]) -> list[str]:
    """Names of imported directions, none of them that of another method: these are averaged."""
    taken, found = set(METHODS), []
    for name in names:
        same = (f"{name} ({number})" for number in itertools.count(2))
        found.append(next(one for one in itertools.chain([name], same) if one not in taken))
        taken.add(found[-1])
    return found


def count_ways(options: InterventionOptions) -> int:
    """How many ways `designed` gives for a set, without heads."""
    draws = {"resample": options.draws, "patch": options.draws}
    own = sum(draws.get(kind, 1) for kind in options.ablations) + len(options.strengths)
    first = draws.get(options.ablations[0], 1) + len(options.strengths)
    sets = 2 + options.controls * len({RANDOM, MATCHED} & set(options.against))
    directions = 3 + options.controls * (RANDOM_DIRECTION in options.against)
    pushed = len(options.directions) * len(options.strengths)
    return 1 + own + sets * first + directions * (1 + len(options.strengths)) + pushed

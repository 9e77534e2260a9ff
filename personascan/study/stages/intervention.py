"""Interventions: a half's node set and its controls are edited while the other half is asked."""

import numpy as np

from personascan.interventions.design import FOUND, all_edits
from personascan.interventions.options import CONTROLS, InterventionOptions
from personascan.sources.language.source import Reader
from personascan.study.effects import SetEffects, set_effects
from personascan.study.node_sets import (
    Jury,
    NodeSet,
    direction_sha256,
    jury_inputs,
    jury_of,
    model_inputs,
    outcome_options,
    outcomes,
    read_outcomes,
    set_seed,
    unchanged_direction,
)
from personascan.study.stage import PLACE, Phase, Stage, Table, place_cells
from personascan.study.stages.nodes import node_set
from personascan.study.units import Unit, Work


def work(case, finder: str, judge: str, place) -> Work:
    nodes, jury = node_set(case, finder, place), jury_of(case, judge)
    options = case.config.intervention
    seed = set_seed(case.seed, nodes)
    directions = {path: direction_sha256(path) for path in options.directions}
    inputs = nodes.inputs() | jury.inputs() | model_inputs(case.source) | {
        "plan": outcome_options(options), "seed": seed, "directions": directions,
    } | jury_inputs(jury)  # fmt: skip
    arguments = (case.source.reader, nodes, jury, options, seed, directions)
    return Work(Unit("intervention", inputs), do, arguments)


def do(
    reader: Reader, nodes: NodeSet, jury: Jury, options: InterventionOptions, seed: int,
    directions: dict[str, str],
):  # fmt: skip
    statistics = nodes.statistics()
    signed_D = nodes.signed(statistics, options.nodes)
    if not signed_D.any():
        return {"nodes": 0, "ways": []}, {}
    imported = tuple(
        unchanged_direction(path, directions[path], reader) for path in options.directions
    )
    edits = all_edits(nodes.place, signed_D, statistics, options, seed, nodes.of_heads(), imported)
    values, arrays = outcomes(reader, edits, jury, options.tokens, likelihood=options.likelihood)
    return values | {"nodes": int(np.count_nonzero(signed_D))}, arrays


def effects(level) -> list[SetEffects]:
    every = [
        read_outcomes(
            node_set(case, finder, place), jury_of(case, judge),
            case.read(work(case, finder, judge, place)),
        )
        for case in level.cases for finder, judge, place in case.tested_sets
    ]  # fmt: skip
    return set_effects(every, level.config.intervention, level.config.seed)


def table_rows(part):
    """Yields the effects of edits of tested node sets and of their controls."""
    for one in part.interventions:
        tested = one.tested
        for e in one.effects:
            own = e.method == FOUND
            yield (
                *place_cells(tested.place), tested.name, tested.half, tested.nodes, e.method,
                e.action, e.strength, e.outcome, e.unedited, e.effect, e.low, e.high, e.controls,
                *(e.p.get(kind, np.nan) for kind in CONTROLS),
                one.p_family.get(e.key, np.nan) if own else np.nan, e.divergence, e.perplexity,
                one.perplexity,
            )  # fmt: skip


STAGE = Stage(
    "intervention",
    Phase.ASKED,
    works=lambda level: [work(case, *one) for case in level.cases for one in case.tested_sets],
    count=lambda counted: 2 * len(counted.config.intervention.places) * counted.edited,
    read=lambda level: {"interventions": effects(level)},
    tables={
        "interventions": Table(
            (
                *PLACE, "comparison", "found_on_half", "nodes", "method", "action", "strength",
                "outcome", "unedited", "effect", "low", "high", "controls", "p_random_nodes",
                "p_like_variance", "p_random_direction", "p_family", "divergence", "perplexity",
                "perplexity_unedited",
            ),
            table_rows,
        )
    },
)  # fmt: skip

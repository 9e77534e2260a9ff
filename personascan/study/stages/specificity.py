"""Specificity: each comparison's statements are asked under the node sets of all comparisons."""

from personascan.analysis.localisation import HALVES
from personascan.interventions.design import STEER, ablation, replacement_rows
from personascan.interventions.edits import (
    UNEDITED,
    NamedEdit,
    add_vector,
    replace_nodes,
    site_layer,
)
from personascan.interventions.options import InterventionOptions
from personascan.sources.language.source import Reader
from personascan.study.effects import CrossEffect, cross_effects
from personascan.study.node_sets import (
    Jury,
    NodeSet,
    jury_of,
    model_inputs,
    outcome_options,
    outcomes,
    read_outcomes,
    strongest,
)
from personascan.study.stage import Phase, Stage, Table
from personascan.study.stages.nodes import node_set
from personascan.study.units import Unit, Work


def work(case, judge: str, sets: list[NodeSet]) -> Work:
    """Returns the unit of a comparison's statements, under the sets that halves of all found."""
    jury, options, seed = jury_of(case, judge), case.config.intervention, case.seed
    inputs = jury.inputs() | model_inputs(case.source) | {
        "sets": [nodes.inputs() for nodes in sets], "plan": outcome_options(options), "seed": seed,
    }  # fmt: skip
    return Work(Unit("specificity", inputs), do, (case.source.reader, sets, jury, options, seed))


def do(reader: Reader, sets: list[NodeSet], jury: Jury, options: InterventionOptions, seed: int):
    edits, owners = [UNEDITED], [-1]
    for number, nodes in enumerate(sets):
        statistics = nodes.statistics()
        signed_D, at = nodes.signed(statistics, options.nodes), site_layer(nodes.place)
        if not signed_D.any():
            continue
        row_D = replacement_rows(options.ablations[0], statistics, options, seed)[0]
        edits.append(
            NamedEdit(
                nodes.name,
                ablation(options.ablations[0]),
                changes={at: replace_nodes(signed_D, row_D)},
            )
        )
        for strength in strongest(options):
            change = add_vector(strength * statistics.push(signed_D))
            edits.append(NamedEdit(nodes.name, STEER, strength, changes={at: change}))
        owners += [number] * (len(edits) - len(owners))
    measures = {"likelihood": False, "side_effects": False}
    values, arrays = outcomes(reader, edits, jury, options.tokens, **measures)
    return values | {"nodes": 0, "owners": owners}, arrays


def matrix_rows(level) -> list[tuple]:
    """Returns (case, half that judges, sets of all comparisons): the matrix, half by half.

    A comparison's set is that of the first place at which its half was tested.
    """
    tested = [case for case in level.cases if case.tested_sets]
    if len(tested) < 2:
        return []
    rows = []
    for finder, judge in (HALVES, HALVES[::-1]):
        sets = [
            node_set(case, finder, next(p for one, _, p in case.tested_sets if one == finder))
            for case in tested
        ]
        rows += [(case, judge, sets) for case in tested]
    return rows


def effects(level) -> list[CrossEffect]:
    every = []
    for case, judge, sets in matrix_rows(level):
        result = case.read(work(case, judge, sets))
        names = ["", *(one.name for one in sets)]
        owners = tuple(names[number + 1] for number in result.values["owners"])
        own = next(one for one in sets if one.name == case.name)
        tested = read_outcomes(own, jury_of(case, judge), result, owners)
        every += cross_effects(tested, level.config.intervention, level.config.seed)
    return every


def table_rows(part):
    for c in part.specificity:
        yield c.judged, c.owner, c.half, c.action, c.strength, c.effect, c.low, c.high


def count(counted) -> int:
    tests = counted.config.intervention.tests
    tested = [sum(map(tests, range(len(one)))) for one in counted.levels]
    return sum(2 * number for number in tested if number > 1)


STAGE = Stage(
    "specificity",
    Phase.CROSSED,
    works=lambda level: [work(*one) for one in matrix_rows(level)],
    count=count,
    read=lambda level: {"specificity": effects(level)},
    tables={
        "specificity": Table(
            (
                "comparison", "set_of", "found_on_half", "action", "strength", "effect", "low",
                "high",
            ),
            table_rows,
        )
    },
)  # fmt: skip

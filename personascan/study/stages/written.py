"""Written: what the model writes behind a few prompts, as it is and pushed along a found set."""

from dataclasses import dataclass

import numpy as np

from personascan.direction import Direction
from personascan.interventions.continuations import text_prompts
from personascan.interventions.edits import site_layer
from personascan.interventions.steering import steered_texts
from personascan.places import Place
from personascan.sources.language.generate import Writing
from personascan.sources.language.source import Reader
from personascan.study.half_direction import place_inputs
from personascan.study.node_sets import NodeSet, strongest
from personascan.study.stage import PLACE, Phase, Stage, Table, place_cells
from personascan.study.stages.nodes import node_set
from personascan.study.units import Unit, Work

NEW_TOKENS = 24  # at most, of a text


@dataclass(frozen=True)
class WrittenTexts:
    """What a model writes behind each prompt, pushed along a node set by each strength."""

    name: str  # of the comparison
    place: Place
    half: str  # that found the set
    nodes: int  # that are pushed; 0: none was found, and nothing is written
    strengths: tuple[float, ...]  # 0 is the model as it is
    texts: dict[str, tuple[str, ...]]  # by prompt, in the order of the strengths


def asked(case) -> list[tuple[str, Place]]:
    """Returns (half that found it, place) of every node set that edits test; [] without pushes."""
    options = case.config.intervention
    if not options.written or not strongest(options):
        return []
    return [(finder, place) for finder, _, place in case.tested_sets]


def strengths_of(options) -> tuple[float, ...]:
    """Returns 0 first, then the strongest push away from H1, and the same towards it."""
    (most,) = strongest(options)
    return 0.0, -abs(most), abs(most)


def work(case, finder: str, place: Place) -> Work:
    nodes, options, source = node_set(case, finder, place), case.config.intervention, case.source
    strengths = strengths_of(options)
    inputs = nodes.inputs() | source.shared_identity | {
        "place": place_inputs(place), "half": finder, "most": options.nodes,
        "prompts": list(options.written), "strengths": list(strengths), "new_tokens": NEW_TOKENS,
    }  # fmt: skip
    arguments = (source.reader, nodes, options.nodes, options.written, strengths)
    return Work(Unit("written", inputs), do, arguments)


def do(
    reader: Reader, nodes: NodeSet, most: int, prompts: tuple[str, ...],
    strengths: tuple[float, ...],
):  # fmt: skip
    statistics = nodes.statistics()
    signed_D = nodes.signed(statistics, most)
    if not signed_D.any():
        return {"nodes": 0, "texts": []}, {}
    model = reader.model()
    push_D = statistics.push(signed_D).astype(np.float32)
    direction = Direction(nodes.name, {site_layer(nodes.place): push_D})
    longest = max(len(one.ids) for one in text_prompts(model, prompts, reader.options))
    room = max(1, min(NEW_TOKENS, model.config.max_positions - longest))
    texts = steered_texts(
        model, direction, prompts, strengths, Writing(room), options=reader.options
    )
    return {"nodes": int(np.count_nonzero(signed_D)), "texts": texts}, {}


def written(case, finder: str, place: Place) -> WrittenTexts:
    """Returns the texts of a finished unit."""
    values, options = case.read(work(case, finder, place)).values, case.config.intervention
    each = map(tuple, values["texts"])
    texts = dict(zip(options.written, each, strict=True)) if values["nodes"] else {}
    return WrittenTexts(case.name, place, finder, values["nodes"], strengths_of(options), texts)


def table_rows(part):
    """Yields every text with its prompt and strength."""
    for one in part.written:
        for prompt, texts in one.texts.items():
            for strength, text in zip(one.strengths, texts, strict=True):
                yield *place_cells(one.place), one.name, one.half, one.nodes, prompt, strength, text


STAGE = Stage(
    "written",
    Phase.ASKED,
    works=lambda level: [work(case, *one) for case in level.cases for one in asked(case)],
    count=lambda counted: (
        2 * len(counted.config.intervention.places) * counted.edited
        if counted.config.intervention.written and counted.config.intervention.strengths
        else 0
    ),
    read=lambda level: {
        "written": [written(case, *one) for case in level.cases for one in asked(case)]
    },
    tables={
        "written": Table(
            (*PLACE, "comparison", "found_on_half", "nodes", "prompt", "strength", "text"),
            table_rows,
        )
    },
)  # fmt: skip

"""The tests of every node of chosen and named places, and node sets: the nodes with a small q."""

import numpy as np

from personascan.analysis.heads import Heads, head_of, head_tests, selected_share
from personascan.analysis.localisation import HALVES, as_columns
from personascan.calibration.node_tests import Nodes, node_tests
from personascan.places import ONCE, Place
from personascan.study.node_sets import NodeSet
from personascan.study.place_options import CHOSEN
from personascan.study.portions import ALL, portion_seed
from personascan.study.rows import StoredRows
from personascan.study.stage import PLACE, Phase, Sizes, Stage, Table, place_cells
from personascan.study.stages.where import LabelledRows, labellings_of
from personascan.study.units import Unit, Work

HEADS = ("r2", "null_mean", "p_family")
NODES = ("effect", "p", "p_family", "q", "mean_difference", "readout", "template")
DIRECTIONS = {1: "high", -1: "low", 0: ""}
SCANNED = (*PLACE, "comparison", "statements_scanned")


def work(case, portion: str, place) -> Work:
    rows, chosen, options = case.rows(place), case.chosen(portion), case.config.where
    node_q, halves = case.config.node_q, case.columns_per_node
    seed = portion_seed(portion, case.seed)
    inputs = rows.inputs(case.pool.positive_N) | chosen.inputs() | {
        "permutations": options.permutations, "node_q": node_q, "halves": halves, "seed": seed,
    }  # fmt: skip
    # Nodes of each attention head, at a place where nodes are outputs of heads.
    width = case.source.head_width if place.site == "head_out" else 0
    inputs |= {"head_width": width} if width else {}
    arguments = (rows, chosen, options.permutations, node_q, halves, seed, width)
    return Work(Unit("nodes", inputs), do, arguments)


def do(
    rows: StoredRows, chosen: LabelledRows, permutations: int, node_q: float, halves: int,
    seed: int, head_width: int = 0,
):  # fmt: skip
    place_ND, labels = rows.array()[chosen.rows], labellings_of(chosen, permutations, seed)
    tests = node_tests("a place", place_ND, labels)
    arrays = {f"{name}_D": getattr(tests, name) for name in NODES}
    arrays["set_1C"] = as_columns(tests.q <= node_q, tests.effect, halves)[None]
    arrays["size_1C"] = as_columns(np.abs(tests.effect), tests.effect, halves)[None]
    if head_width:
        heads = head_tests(place_ND, labels, head_width)
        arrays |= {f"head_{name}_H": getattr(heads, name) for name in HEADS}
    return {}, arrays


def sets(case) -> list[tuple]:
    """Returns (portion, place) of every node set."""
    if not case.portions:
        return []
    chosen = [(half, place) for *_, place, _ in case.choices() for half in HALVES]
    tested = [(finder, place) for finder, _, place in case.tested_sets]
    named = [(ALL, place) for place in case.named]
    return list(dict.fromkeys(chosen + tested + named))


def file_of(case, portion: str, place, name: str = "set_1C") -> tuple[Unit, str]:
    """Returns the unit of a node set, and the file of one of its arrays."""
    unit = work(case, portion, place).unit
    return unit, str(case.store.array_path(unit, name))


def node_set(case, half: str, place: Place) -> NodeSet:
    """Returns the node set that a half of a comparison's rows found at a place."""
    unit, file = file_of(case, half, place)
    heads = Place("head_out", place.layer, place.position)
    has_heads = heads in case.source.places and place.site not in ONCE
    return NodeSet(
        case.name, place, half, case.rows(place), case.chosen(half).rows, case.pool.positive_N,
        unit, file, file_of(case, half, place, "size_1C")[1],
        case.rows(heads) if has_heads else None, case.source.head_width,
    )  # fmt: skip


def tests_at(case, portion: str, place) -> tuple[Nodes, Heads | None]:
    """Returns tests of nodes from a finished unit, and of heads if nodes are their outputs."""
    arrays = case.read(work(case, portion, place)).arrays
    tests = Nodes(**{name: arrays[f"{name}_D"] for name in NODES})
    if "head_r2_H" not in arrays:
        return tests, None
    return tests, Heads(**{name: arrays[f"head_{name}_H"] for name in HEADS})


def count(counted) -> int:
    """Returns the most units that there can be: halves may choose two places."""
    asked = sum(text != CHOSEN for text in counted.config.intervention.places)
    each = 4 * counted.chooses + counted.named
    return (counted.comparisons * each + 2 * asked * counted.edited) * counted.permuted


def timed_units(counted, number: int) -> float:
    """Returns how many units of all rows take as long: those of halves count half."""
    of_all = counted.comparisons * counted.named
    return of_all + (number - of_all) / 2


def seconds(trial) -> float:
    rest = trial.config.where.permutations, trial.config.node_q, trial.halves, trial.seed
    return trial.time(do, trial.rows, trial.every_row(), *rest)


def memory(sizes: Sizes) -> int:
    return 3 * sizes.place + 20 * sizes.labellings * sizes.nodes


def scanned_rows(scan) -> str:
    """Returns which rows were scanned, and which chose the place."""
    if scan.mixture:
        return f"all ({scan.mixture})"
    if scan.choice is None:
        return "all"
    return f"{'B' if scan.choice.half == 'A' else 'A'} ({scan.choice.half} chose)"


def all_scans(part):
    return ((name, scan) for name, scans in part.scans.items() for scan in scans)


def node_rows(part):
    for name, scan in all_scans(part):
        nodes = scan.q_C.size // scan.halves
        null_TC = scan.frequency_TC[1:]
        null_C = null_TC.mean(0) if len(null_TC) else np.full(scan.q_C.size, np.nan)
        effect_D = np.full(nodes, np.nan) if scan.tested is None else scan.tested.effect
        for column, direction in enumerate(scan.directions_C):
            node = column % nodes
            head = head_of(node, part.head_width) if scan.place.site == "head_out" else np.nan
            yield (
                *place_cells(scan.place), name, scanned_rows(scan), node, head,
                DIRECTIONS[int(direction)], effect_D[node], float(scan.frequency_TC[0, column]),
                float(null_C[column]), int(scan.set_TC[0, column]), scan.q_C[column],
                scan.p_C[column],
            )  # fmt: skip


def head_rows(part):
    for name, scan in all_scans(part):
        if scan.place.site != "head_out":
            continue
        share_H = selected_share(scan.frequency_TC[0], scan.halves, part.head_width)
        none_H, heads = np.full(share_H.size, np.nan), scan.heads
        tested = (heads.r2, heads.null_mean, heads.p_family) if heads else (none_H,) * 3
        for head, values in enumerate(zip(share_H, *tested, strict=True)):
            yield *place_cells(scan.place), name, scanned_rows(scan), head, *map(float, values)


STAGE = Stage(
    "nodes",
    Phase.CHOSEN,
    works=lambda level: [work(case, *one) for case in level.cases for one in sets(case)],
    count=count,
    tables={
        "nodes": Table(
            (
                *SCANNED, "node", "head", "direction", "effect", "frequency", "null_frequency",
                "in_set", "q", "p_family",
            ),
            node_rows, always=True,
        ),
        "heads": Table(
            (*SCANNED, "head", "share_selected", "r2", "r2_permuted", "p_family"), head_rows
        ),
    },
    seconds=seconds,
    timed_units=timed_units,
    disk=lambda sizes: 80 * sizes.nodes,
    memory=memory,
)  # fmt: skip

"""The tables of a study: CSV files, and the summary for the terminal."""

import csv
import pathlib

import numpy as np

from personascan.analysis.findings import findings, pooled
from personascan.analysis.heads import head_of, head_shares
from personascan.analysis.separation import METRICS
from personascan.visible import cell, visible

PLACE = ("site", "layer", "position")
DIRECTIONS = {1: "high", -1: "low", 0: ""}


def write_tables(study, folder: pathlib.Path) -> None:
    """places.csv, runs.csv, nodes.csv, overlaps.csv, and with permutations findings.csv."""
    write_csv(folder / "places.csv", place_header(), place_rows(study))
    write_csv(folder / "runs.csv", RUN_HEADER, run_rows(study))
    write_csv(folder / "nodes.csv", NODE_HEADER, node_rows(study))
    write_csv(folder / "overlaps.csv", OVERLAP_HEADER, overlap_rows(study))
    if study.calibrations:
        write_csv(folder / "findings.csv", FINDING_HEADER, finding_rows(study))
    if any(scan.place.site == "head_out" for found in study.scans.values() for scan in found):
        write_csv(folder / "heads.csv", HEAD_HEADER, head_rows(study))


def write_csv(path: pathlib.Path, header, rows) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def number(value) -> str:
    """A float with enough digits to compare runs; empty where there is none."""
    return "" if np.isnan(value) else f"{value:.6g}"


def place_cells(place) -> tuple:
    return place.site, place.layer, place.position


def part_of(scan) -> str:
    """Which rows were scanned, and which chose the place."""
    if scan.choice is None:
        return "all"
    return f"{'B' if scan.choice.half == 'A' else 'A'} ({scan.choice.half} chose)"


SCAN_COLUMNS = (
    "scan_score", "null_mean", "null_deviation", "z", "p", "p_family", "p_step_down",
)  # fmt: skip


def place_header():
    columns = [f"{metric}_{part}" for metric in METRICS for part in ("mean", "deviation")]
    return (*PLACE, "comparison", "wording_accuracy", "constant", *columns, *SCAN_COLUMNS)


def place_rows(study):
    for name, found in study.separation.items():
        calibration = study.calibrations.get(name)
        for index, (place, separation) in enumerate(found.items()):
            scan = [np.nan] * len(SCAN_COLUMNS)
            if calibration is not None:
                null_T, c = calibration.null[index], calibration
                scan = [c.score[index], null_T.mean(), null_T.std(), c.z[index], c.p[index],
                        c.p_family[index], c.p_step_down[index]]  # fmt: skip
            values = [
                part[metric]
                for metric in METRICS
                for part in (separation.mean, separation.deviation)
            ]
            yield (
                *place_cells(place), cell(name), number(study.wording[name][0]),
                int(separation.constant), *map(number, [*values, *scan]),
            )  # fmt: skip


RUN_HEADER = (
    *PLACE, "comparison", "statements_scanned", "wording_accuracy", "run", "score", "alpha",
    "at_smallest_alpha", "starts", "starts_at_best", "n_statements", "n_nodes", "precision",
    "recall", "statements", "nodes_high", "nodes_low",
)  # fmt: skip


def run_rows(study):
    for name, scan in all_scans(study):
        runs, ids = scan.runs, study.pool_ids[name]
        starts_R = (~np.isnan(runs.start_scores[0])).sum(-1)
        for r in range(len(scan.precision_R)):
            returned = [ids[scan.rows[i]] for i in np.flatnonzero(runs.rows[0, r])]
            high, low = (np.flatnonzero(half[0, r]) for half in (runs.high, runs.low))
            yield (
                *place_cells(scan.place), cell(name), part_of(scan),
                number(study.wording[name][0]), r, number(runs.score[0, r]),
                number(runs.alpha[0, r]), int(runs.at_smallest_alpha[0, r]), starts_R[r],
                runs.starts_at_best[0, r], len(returned), len(np.union1d(high, low)),
                number(scan.precision_R[r]), number(scan.recall_R[r]), cell(";".join(returned)),
                " ".join(map(str, high)), " ".join(map(str, low)),
            )  # fmt: skip


def all_scans(study):
    return ((name, scan) for name, found in study.scans.items() for scan in found)


NODE_HEADER = (
    *PLACE, "comparison", "statements_scanned", "node", "head", "direction", "frequency",
    "null_frequency", "in_set", "q", "p_family",
)  # fmt: skip


def node_rows(study):
    for name, scan in all_scans(study):
        nodes = scan.q_C.size // scan.halves
        null_TC = scan.frequency_TC[1:]
        null_C = null_TC.mean(0) if len(null_TC) else np.full(scan.q_C.size, np.nan)
        for column, direction in enumerate(scan.directions_C):
            node = column % nodes
            head = head_of(node, study.head_width) if scan.place.site == "head_out" else ""
            yield (
                *place_cells(scan.place), cell(name), part_of(scan), node, head,
                DIRECTIONS[int(direction)], number(scan.frequency_TC[0, column]),
                number(null_C[column]), int(scan.set_TC[0, column]), number(scan.q_C[column]),
                number(scan.p_C[column]),
            )  # fmt: skip


HEAD_HEADER = (
    *PLACE, "comparison", "statements_scanned", "head", "share_selected", "null_mean", "p_family",
)  # fmt: skip


def head_rows(study):
    for name, scan in all_scans(study):
        if scan.place.site != "head_out":
            continue
        runs = study.config.runs.runs
        heads = head_shares(scan.frequency_TC, scan.halves, study.head_width, runs)
        columns = (heads.share, heads.null_mean, heads.p_family)
        for head, values in enumerate(zip(*columns, strict=True)):
            yield (
                *place_cells(scan.place), cell(name), part_of(scan), head, *map(number, values)
            )  # fmt: skip


OVERLAP_HEADER = (
    *PLACE, "comparisons", "observed", "expected_by_chance", "exclusive", "null_mean",
    "permutation_p", "hypergeometric_p",
)  # fmt: skip


def overlap_rows(study):
    for place, found in study.overlaps.items():
        for o in found:
            chance = (o.null_mean, o.p, o.p_hypergeometric)
            yield (
                *place_cells(place), cell(" & ".join(o.names)), o.observed, number(o.expected),
                o.exclusive, *map(number, chance),
            )  # fmt: skip


FINDING_HEADER = (
    "comparison", "wording_accuracy", *PLACE, "z", "p_family", "q_over_comparisons",
    "places_passing", "places", "places_chosen", "p_on_the_other_half", "precision", "recall",
    "auroc", "node_set_high", "node_set_low",
)  # fmt: skip


def finding_rows(study):
    for found in findings(study.calibrations, study.scans):
        judged = found.judged
        means = (
            pooled(judged) if judged else dict.fromkeys(("precision", "recall", "auroc"), np.nan)
        )
        sets = [[(s.set_TC[0] & (s.directions_C == d)).sum() for s in judged] for d in (1, -1)]
        yield (
            cell(found.name), number(study.wording[found.name][0]), *place_cells(found.place),
            number(found.z), number(found.p_family), number(found.q), found.passing, found.places,
            "; ".join(str(s.place) for s in judged),
            "; ".join(number(s.choice.p_judged) for s in judged),
            *(number(means[k]) for k in ("precision", "recall", "auroc")),
            *("; ".join(map(str, sizes)) for sizes in sets),
        )  # fmt: skip


def mean_deviation(values, digits: int = 2) -> str:
    """'mean ± deviation' of the values that are numbers, or a dash."""
    mean, deviation = center(values)
    return "-" if np.isnan(mean) else f"{mean:.{digits}f} ± {deviation:.{digits}f}"


def center(values) -> tuple[float, float]:
    """Mean and deviation of the values that are numbers; NaN if none is."""
    numbers = np.asarray(values, float)
    numbers = numbers[~np.isnan(numbers)]
    return (float(numbers.mean()), float(numbers.std())) if numbers.size else (np.nan, np.nan)


def summary_table(study) -> str:
    """What was found of each comparison, and a line for each scanned place, for a terminal."""
    parts = []
    if study.calibrations:
        header = ("comparison", "wording", "furthest place", "z", "family-wise p", "places found",
                  "confirmed")  # fmt: skip
        lines = [
            (
                visible(f.name), f"{study.wording[f.name][0]:.2f}", str(f.place), f"{f.z:.1f}",
                f"{f.p_family:.3f}", f"{f.passing} of {f.places}",
                f"{f.confirmed} of {len(f.judged)}",
            )
            for f in findings(study.calibrations, study.scans)
        ]  # fmt: skip
        parts.append(aligned([header, *lines]))
    header = ("comparison", "place", "statements", "probe AUROC", "score", "precision", "recall",
              "AUROC", "statements returned", "node set")  # fmt: skip
    lines = [
        (
            visible(name), str(scan.place), part_of(scan), probe(study, name, scan.place),
            mean_deviation(scan.runs.score[0], 0), mean_deviation(scan.precision_R),
            mean_deviation(scan.recall_R), f"{scan.auroc:.2f}",
            f"{scan.runs.rows[0].sum(1).mean():.1f}", str(int(scan.set_TC[0].sum())),
        )
        for name, scan in all_scans(study)
    ]  # fmt: skip
    return "\n\n".join([*parts, aligned([header, *lines])])


def probe(study, name: str, place) -> str:
    auroc = study.separation[name][place].mean["probe_auroc"]
    return "constant" if np.isnan(auroc) else f"{auroc:.3f}"


def aligned(lines) -> str:
    widths = [max(len(line[c]) for line in lines) for c in range(len(lines[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )

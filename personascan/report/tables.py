"""The tables of a study: CSV files, and the summary for the terminal."""

import csv
import pathlib

import numpy as np

from personascan.analysis.separation import METRICS
from personascan.visible import cell, visible


def write_tables(study, folder: pathlib.Path) -> None:
    """layers.csv, runs.csv, nodes.csv and overlaps.csv."""
    write_csv(folder / "layers.csv", layer_header(), layer_rows(study))
    write_csv(folder / "runs.csv", RUN_HEADER, run_rows(study))
    write_csv(
        folder / "nodes.csv",
        ("layer", "comparison", "node", "frequency", "in_set", "q"),
        node_rows(study),
    )
    write_csv(
        folder / "overlaps.csv",
        OVERLAP_HEADER,
        overlap_rows(study),
    )


def write_csv(path: pathlib.Path, header, rows) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def number(value) -> str:
    """A float with enough digits to compare runs; empty where there is none."""
    return "" if np.isnan(value) else f"{value:.6g}"


OVERLAP_HEADER = (
    "layer",
    "comparisons",
    "observed",
    "expected_by_chance",
    "exclusive",
    "null_mean",
    "permutation_p",
    "hypergeometric_p",
)
SCAN_COLUMNS = ("scan_score", "null_mean", "null_95", "scan_p", "scan_p_family")


def layer_header():
    columns = [f"{metric}_{part}" for metric in METRICS for part in ("mean", "deviation")]
    return ("layer", "comparison", "wording_accuracy", "constant", *columns, *SCAN_COLUMNS)


def scan_columns(calibration, layer: int):
    """A layer's score beside its permutations, and its p-values; NaN without calibration."""
    if calibration is None:
        return [np.nan] * len(SCAN_COLUMNS)
    null_T = calibration.null[layer]
    return (
        calibration.score[layer],
        null_T.mean(),
        np.quantile(null_T, 0.95),
        calibration.p[layer],
        calibration.p_family[layer],
    )


def layer_rows(study):
    for name, layers in study.separation.items():
        for index, (layer, found) in enumerate(zip(study.layer_names, layers, strict=True)):
            scan = [number(value) for value in scan_columns(study.calibrations.get(name), index)]
            values = [
                number(part[metric]) for metric in METRICS for part in (found.mean, found.deviation)
            ]
            yield (
                layer,
                cell(name),
                number(study.wording[name][0]),
                int(found.constant),
                *values,
                *scan,
            )


RUN_HEADER = (
    "layer",
    "comparison",
    "wording_accuracy",
    "run",
    "score",
    "alpha",
    "at_smallest_alpha",
    "starts_at_best",
    "n_statements",
    "n_nodes",
    "precision",
    "recall",
    "statements",
    "nodes",
)


def run_rows(study):
    for name, scans in study.scans.items():
        for scan in scans:
            runs = scan.runs
            for r in range(len(scan.precision_R)):
                ids = [scan.pool_ids[i] for i in np.flatnonzero(runs.rows[0, r])]
                nodes = np.flatnonzero(runs.nodes[0, r])
                score = runs.score[0, r]
                yield (
                    scan.layer,
                    cell(name),
                    number(study.wording[name][0]),
                    r,
                    number(score),
                    number(runs.alpha[0, r]),
                    int(runs.at_smallest_alpha[0, r]),
                    int(np.isclose(runs.start_scores[0, r], score, rtol=1e-6).sum()),
                    len(ids),
                    len(nodes),
                    number(scan.precision_R[r]),
                    number(scan.recall_R[r]),
                    cell(";".join(ids)),
                    " ".join(map(str, nodes)),
                )


def node_rows(study):
    for name, scans in study.scans.items():
        for scan in scans:
            nodes = len(scan.frequency_D)
            q_D = scan.calibration.q() if scan.calibration else np.full(nodes, np.nan)
            for node, frequency in enumerate(scan.frequency_D):
                within = int(scan.node_set_D[node])
                yield scan.layer, cell(name), node, number(frequency), within, number(q_D[node])


def overlap_rows(study):
    for layer, found in study.overlaps.items():
        for o in found:
            chance = (o.null_mean, o.p, o.p_hypergeometric)
            yield (
                layer, cell(" & ".join(o.names)), o.observed, number(o.expected), o.exclusive,
                *map(number, chance),
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
    """One line for each scanned layer and comparison, aligned for a terminal."""
    header = ("layer", "comparison", "wording", "probe AUROC", "score", "precision", "recall",
              "statements", "nodes", "node set")  # fmt: skip
    lines = [header]
    for i, layer in enumerate(study.scanned_layers()):
        for name in study.scans:
            scan = study.scans[name][i]
            auroc = study.separation[name][study.layer_names.index(layer)].mean["probe_auroc"]
            lines.append(
                (
                    layer,
                    visible(name),
                    f"{study.wording[name][0]:.2f}",
                    "constant" if np.isnan(auroc) else f"{auroc:.3f}",
                    mean_deviation(scan.runs.score[0], 0),
                    mean_deviation(scan.precision_R),
                    mean_deviation(scan.recall_R),
                    f"{scan.runs.rows[0].sum(1).mean():.1f}",
                    f"{scan.runs.nodes[0].sum(1).mean():.1f}",
                    str(int(scan.node_set_D.sum())),
                )
            )
    widths = [max(len(line[c]) for line in lines) for c in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )

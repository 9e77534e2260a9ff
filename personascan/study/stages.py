"""The stages of a study: each kind of unit, what decides it, and the function that does it.

A function takes arrays by path and gives (values, arrays) for the store; beside each stands how its
record is read back. All that decides a result is in the inputs of its unit.
"""

import dataclasses
import functools
from dataclasses import asdict

import numpy as np

from personascan.analysis.baselines import detect_simply
from personascan.analysis.detection import Detection, DetectionPlan, Labels, detect
from personascan.analysis.localisation import (
    HALVES,
    LocalisationPlan,
    PlaceScan,
    in_half,
    scan_place,
)
from personascan.analysis.personas import PersonaSeparation, persona_separation
from personascan.analysis.profiles import Profile, last_third
from personascan.analysis.separation import (
    Separation,
    SeparationPlan,
    place_separation,
    principal_components,
)
from personascan.analysis.transfer import Transfer, transferred
from personascan.analysis.validation import (
    ValidationPlan,
    judge_scores,
    most_frequent,
    validate,
)
from personascan.analysis.wording import bag_of_words_accuracy, bag_of_words_scores
from personascan.calibration.labellings import Labellings, draw_labellings
from personascan.calibration.null import null_scores
from personascan.hashes import text_sha256
from personascan.scan.options import ScanOptions
from personascan.scan.result import ARRAYS, RunScans
from personascan.scan.splits import SplitPlan, draw_splits
from personascan.study.rows import StoredRows
from personascan.study.store import Result, read_stored
from personascan.study.units import Unit, Work, canonical

ALL = "all"  # the rows of a part: all of them, or half A or B
PARTS = (ALL, *HALVES)
SCAN_ARRAYS = ("rows", "precision_R", "recall_R", "frequency_TC", "q_C", "p_C", "set_TC")


def wording_work(pool, texts: list[str], seed: int) -> Work:
    """What word counts alone tell."""
    labels = pool.positive_N.astype(int).tolist()
    inputs = {"texts": text_sha256(canonical([texts, labels])), "seed": seed}
    inputs |= label_inputs(Labels(pool.positive_N, pool.clusters))
    return Work(Unit("wording", inputs), wording, (texts, pool.positive_N, pool.clusters, seed))


def wording(texts, positive_N, clusters_N, seed: int):
    mean, deviation = bag_of_words_accuracy(texts, positive_N, seed=seed, clusters_N=clusters_N)
    return {"mean": mean, "deviation": deviation}, {}


def separation_work(rows: StoredRows, pool, plan: SeparationPlan, seed: int) -> Work:
    """How far apart H1 and H0 lie at a place."""
    inputs = rows.inputs(pool.positive_N) | {"plan": asdict(plan), "seed": seed}
    inputs |= label_inputs(Labels(pool.positive_N, pool.clusters))
    arguments = (rows, pool.positive_N, pool.clusters, plan, seed)
    return Work(Unit("separation", inputs), separation, arguments)


def separation(rows: StoredRows, positive_N, clusters_N, plan: SeparationPlan, seed: int):
    found = place_separation(rows.array(), positive_N, plan, seed, clusters_N)
    return asdict(found), {}


def separation_of(result: Result) -> Separation:
    return Separation(**result.values)


def label_inputs(labels: Labels) -> dict:
    """What of the labels decides a result, beside H1 and H0: nothing where there is no more."""
    more = {"clusters": labels.clusters_N, "conditions": labels.conditions_N}
    return {
        name: text_sha256(canonical(array.tolist()))
        for name, array in more.items()
        if array is not None
    }


def drawn_inputs(pool) -> dict:
    """The same of units that draw samples and labellings, which clusters are dealt out for."""
    how = {} if pool.clusters is None else {"drawn": "rows of exchanged clusters"}
    return label_inputs(Labels(pool.positive_N, pool.clusters)) | how


def split_inputs(plan: DetectionPlan) -> dict:
    """What of a plan decides which rows are the background."""
    return {"splits": plan.splits, "background": plan.background, "draw": plan.draw}


def detection_work(
    rows: StoredRows,
    labels: Labels,
    plan: DetectionPlan,
    options: tuple[ScanOptions, ...],
    seed: int,
) -> Work:
    """How well rows scanned alone tell H1 from H0 at a place."""
    inputs = rows.inputs(labels.positive_N) | label_inputs(labels) | {
        "plan": split_inputs(plan), "options": [asdict(o) for o in options], "seed": seed,
    }  # fmt: skip
    return Work(Unit("detection", inputs), detection, (rows, labels, plan, options, seed))


def detection(rows: StoredRows, labels: Labels, plan: DetectionPlan, options, seed: int):
    return as_result(detect(rows.array(), labels, plan, options, seed))


def as_result(found: Detection):
    values = {f.name: getattr(found, f.name) for f in dataclasses.fields(found)}
    return values, {"score_N": values.pop("score_N")}


def baseline_work(
    rows: StoredRows, labels: Labels, method: str, plan: DetectionPlan, seed: int
) -> Work:
    """How well something simpler than a scan tells rows alone, over the same splits."""
    inputs = rows.inputs(labels.positive_N) | label_inputs(labels) | {
        "plan": split_inputs(plan), "method": method, "seed": seed,
    }  # fmt: skip
    return Work(Unit("baseline", inputs), baseline, (rows, labels, method, plan, seed))


def baseline(rows: StoredRows, labels: Labels, method: str, plan: DetectionPlan, seed: int):
    return as_result(detect_simply(rows.array(), labels, method, plan, seed))


def transfer_work(
    rows: StoredRows, pool, others: list[tuple[StoredRows, np.ndarray]], probe_c: float
) -> Work:
    """A probe trained on the other comparisons, each by its rows and labels, held to this one."""
    inputs = rows.inputs(pool.positive_N) | {
        "others": [other.inputs(labels) for other, labels in others], "probe_c": probe_c,
    }  # fmt: skip
    inputs |= label_inputs(Labels(pool.positive_N, pool.clusters))
    arguments = (rows, pool.positive_N, pool.clusters, others, probe_c)
    return Work(Unit("transfer", inputs), transfer, arguments)


def transfer(rows: StoredRows, positive_N, clusters_N, others, probe_c: float):
    train_ND = np.concatenate([other.array() for other, _ in others])
    label_N = np.concatenate([labels for _, labels in others])
    found = transferred(train_ND, label_N, rows.array(), positive_N, probe_c, clusters_N)
    return asdict(found), {}


def transfer_of(result: Result) -> Transfer:
    return Transfer(**result.values)


def detection_of(result: Result) -> Detection:
    return Detection(**result.values, **result.arrays)


def personas_work(rows: StoredRows, pool, seed: int) -> Work:
    """How well the personas of a topic are told from one another at a place."""
    numbers = np.unique(pool.strata, return_inverse=True)[1]
    inputs = rows.inputs(numbers) | {"seed": seed}
    inputs |= label_inputs(Labels(pool.positive_N, pool.clusters))
    return Work(Unit("personas", inputs), personas, (rows, numbers, pool.clusters, seed))


def personas(rows: StoredRows, persona_N, clusters_N, seed: int):
    return asdict(persona_separation(rows.array(), persona_N, seed, clusters_N=clusters_N)), {}


def personas_of(result: Result) -> PersonaSeparation:
    return PersonaSeparation(**result.values)


def part_rows(pool, part: str, seed: int) -> np.ndarray:
    """The rows of a pool that belong to a part: all, or a half."""
    if part == ALL:
        return np.arange(len(pool.ids))
    return np.flatnonzero(in_half(pool.strata, seed, pool.clusters) == HALVES.index(part))


def part_clusters(pool, chosen) -> np.ndarray | None:
    """The clusters of chosen rows."""
    return None if pool.clusters is None else pool.clusters[chosen]


def part_plan(plan: LocalisationPlan, part: str) -> LocalisationPlan:
    return plan if part == ALL else plan.halved()


def part_seed(part: str, seed: int) -> int:
    """Halves have seeds of their own; the draw of the halves has the comparison's."""
    return (seed + PARTS.index(part)) % 2**32


def scan_inputs(plan: LocalisationPlan, options: ScanOptions) -> dict:
    """What of a plan decides scores."""
    return {"splits": asdict(plan.runs), "options": asdict(options)}


def null_work(rows: StoredRows, pool, part: str, plan: LocalisationPlan, seed: int) -> Work:
    """The scores of a place under the labels and their permutations."""
    chosen, plan = part_rows(pool, part, seed), part_plan(plan, part)
    options, seed = plan.statistic_options(), part_seed(part, seed)
    inputs = rows.inputs(pool.positive_N) | scan_inputs(plan, options) | {
        "part": text_sha256(canonical(chosen.tolist())), "seed": seed,
        "permutations": plan.permutations, "runs": plan.statistic_runs,
    } | drawn_inputs(pool)  # fmt: skip
    clusters = part_clusters(pool, chosen)
    arguments = (rows, chosen, pool.positive_N, clusters, plan, seed)
    return Work(Unit("null", inputs), null, arguments)


def null(rows: StoredRows, chosen, positive_N, clusters_N, plan: LocalisationPlan, seed: int):
    together = b"" if clusters_N is None else np.asarray(clusters_N, np.int64).tobytes()
    drawn = labellings(positive_N[chosen].tobytes(), together, plan.runs, plan.permutations, seed)
    place_ND = rows.array()[chosen]
    scores_TR = null_scores(place_ND, drawn, plan.statistic_runs, plan.statistic_options())
    return {}, {"scores_TR": scores_TR}


@functools.lru_cache(maxsize=4)
def labellings(
    positive: bytes, clusters: bytes, plan: SplitPlan, permutations: int, seed: int
) -> Labellings:
    """Those of a comparison: drawn once by a process, for all places."""
    clusters_N = np.frombuffer(clusters, np.int64) if clusters else None
    return draw_labellings(np.frombuffer(positive, bool), plan, permutations, seed, clusters_N)


def localisation_work(
    rows: StoredRows, pool, place, part: str, plan: LocalisationPlan, seed: int
) -> Work:
    """The runs of a place, and its nodes beside permuted labels."""
    chosen, plan = part_rows(pool, part, seed), part_plan(plan, part)
    seed = part_seed(part, seed)
    inputs = rows.inputs(pool.positive_N) | scan_inputs(plan, plan.options) | {
        "part": text_sha256(canonical(chosen.tolist())), "seed": seed,
        "permutations": plan.permutations, "node_q": plan.node_q, "threshold": plan.threshold,
    } | drawn_inputs(pool)  # fmt: skip
    clusters = part_clusters(pool, chosen)
    arguments = (rows, place, chosen, pool.positive_N, clusters, plan, seed)
    return Work(Unit("localisation", inputs), localisation, arguments)


def localisation(rows, place, chosen, positive_N, clusters_N, plan: LocalisationPlan, seed: int):
    place_ND = rows.array()[chosen]
    found = scan_place(place, place_ND, positive_N[chosen], chosen, plan, seed, clusters_N)
    arrays = {name: getattr(found, name) for name in SCAN_ARRAYS}
    arrays |= {stored_as(name): getattr(found.runs, name) for name in ARRAYS}
    return {"auroc": found.auroc, "halves": found.halves, "note": found.runs.note}, arrays


def stored_as(name: str) -> str:
    """The name on disk of an array of `RunScans`: without its shape letters, as ever."""
    return f"runs_{name.removesuffix('_LRD')}"


def scanned_in(work: Work) -> np.ndarray:
    """How many runs of a localisation scanned each of its rows: [N]."""
    _, _, chosen, positive_N, clusters_N, plan, seed = work.arguments
    return draw_splits(positive_N[chosen], plan.runs, seed, clusters_N)[1].sum(0)


def scan_of(place, work: Work, result: Result, choice=None, mixture: str = "") -> PlaceScan:
    arrays, values = result.arrays, result.values
    runs = RunScans(**{name: arrays[stored_as(name)] for name in ARRAYS}, note=values["note"])
    return PlaceScan(
        place=place, runs=runs, auroc=values["auroc"], halves=values["halves"], choice=choice,
        samples=work.arguments[5].runs, mixture=mixture, scanned_N=scanned_in(work),
        **{name: arrays[name] for name in SCAN_ARRAYS},
    )  # fmt: skip


def validation_work(
    rows: StoredRows,
    pool,
    texts,
    found: tuple[Unit, str],
    parts: tuple[str, str],
    plan: ValidationPlan,
    seed: int,
) -> Work:
    """A node set that one half found (its unit and file), judged on the other half."""
    unit, file = found
    find, judge = (part_rows(pool, part, seed) for part in parts)
    inputs = rows.inputs(pool.positive_N) | {
        "found": unit.key, "plan": asdict(plan), "seed": seed,
        "texts": text_sha256(canonical(None if texts is None else list(texts))),
        "halves": text_sha256(canonical([find.tolist(), judge.tolist()])),
    }  # fmt: skip
    labels = Labels(pool.positive_N, pool.clusters)
    inputs |= label_inputs(labels)
    arguments = (rows, labels, texts, file, find, judge, plan, seed)
    return Work(Unit("validation", inputs), validation, arguments)


def validation(rows, labels, texts, file, find, judge, plan: ValidationPlan, seed: int):
    positive_N, clusters_N = labels.positive_N, labels.clusters_N
    columns_C = read_stored(file)[0]
    if plan.share:  # the file holds frequencies
        columns_C = most_frequent(columns_C, plan.share, rows.shape[1])
    if texts is None:
        found = validate(
            rows.array(), positive_N, find, judge, columns_C, plan, seed, clusters_N=clusters_N
        )
        return {"rows": list(found.rows())}, {}
    lengths_N = np.array([len(text.split()) for text in texts])
    found = validate(
        rows.array(),
        positive_N,
        find,
        judge,
        columns_C,
        plan,
        seed,
        length_N=lengths_N,
        clusters_N=clusters_N,
    )
    words_N = bag_of_words_scores(
        [texts[i] for i in find], positive_N[find], [texts[i] for i in judge]
    )
    wording = judge_scores(words_N, positive_N[judge])
    lines = [*found.rows(), ("bag of words", "auroc", wording.auroc),
             ("bag of words", "tpr", wording.tpr)]  # fmt: skip
    return {"rows": lines}, {}


def validation_of(result: Result) -> dict[str, dict[str, float]]:
    """{method: {metric: value}}."""
    found = {}
    for method, metric, value in result.values["rows"]:
        found.setdefault(method, {})[metric] = value
    return found


def profile_work(
    units: list[Unit], files: list[str], pool, depths: list[float], resamples: int, seed: int
) -> Work:
    """The share of a line's signal in the last third of the layers, from its detections."""
    inputs = {
        "detections": [unit.key for unit in units], "depths": depths, "resamples": resamples,
        "seed": seed,
    }  # fmt: skip
    inputs |= label_inputs(Labels(pool.positive_N, pool.clusters))
    arguments = (files, pool.positive_N, pool.clusters, depths, resamples, seed)
    return Work(Unit("profile", inputs), profile, arguments)


def profile(files, positive_N, clusters_N, depths, resamples: int, seed: int):
    score_PN = np.stack([read_stored(file) for file in files])
    found = last_third(
        score_PN, positive_N, depths, resamples=resamples, seed=seed, clusters_N=clusters_N
    )
    return asdict(found), {}


def profile_of(result: Result) -> Profile:
    return Profile(**result.values)


def projection_work(rows: StoredRows, pool) -> Work:
    """The rows in their first two principal components, for a picture."""
    return Work(Unit("projection", rows.inputs(pool.positive_N)), projection, (rows,))


def projection(rows: StoredRows):
    rows_ND = rows.array()
    points_NC, share_C = principal_components(rows_ND, min(2, rows_ND.shape[1]))
    none = 2 - share_C.size  # of a single node there is one component
    points_N2 = np.pad(points_NC, ((0, 0), (0, none)))
    return {}, {"points_N2": points_N2, "share_2": np.pad(share_C, (0, none))}

"""The results of a study as long tables: a row for each place, run, node, finding, overlap.

Every row begins with the model and the level; numbers are numbers, NaN where there is none.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from personascan.analysis.findings import LEVEL, pooled
from personascan.analysis.heads import head_of, selected_share
from personascan.analysis.separation import METRICS
from personascan.errors import InputError
from personascan.interventions.design import FOUND
from personascan.interventions.plan import CONTROLS
from personascan.places import lines_of
from personascan.study.results import Part, Study

WHERE = ("model", "level")
PLACE = ("site", "layer", "position")
DIRECTIONS = {1: "high", -1: "low", 0: ""}
SCAN_COLUMNS = (
    "statistic", "null_mean", "null_deviation", "z", "p", "p_family", "p_step_down", "z_nodes",
    "p_family_nodes", "held_out_auroc",
)  # fmt: skip


DETECTION = ("auroc", "auroc_deviation", "tpr", "tpr_deviation")


@dataclass(frozen=True)
class Table:
    """A kind of rows: their columns, and how a part of a study gives them."""

    columns: tuple[str, ...]  # behind model and level
    rows: Callable[[Part], Iterator[tuple]]  # of a part; of the whole study, with model and level
    whole: bool = False

    @property
    def header(self) -> tuple[str, ...]:
        return WHERE + self.columns

    def of(self, study: Study) -> Iterator[tuple]:
        """The rows of all parts."""
        if self.whole:
            yield from self.rows(study)
            return
        for part in study.parts:
            for row in self.rows(part):
                yield part.model, part.level, *row


def place_cells(place) -> tuple:
    return place.site, place.layer, place.position


def part_of(scan) -> str:
    """Which rows were scanned, and which chose the place."""
    if scan.mixture:
        return f"all ({scan.mixture})"
    if scan.choice is None:
        return "all"
    return f"{'B' if scan.choice.half == 'A' else 'A'} ({scan.choice.half} chose)"


def all_scans(part: Part):
    return ((name, scan) for name, found in part.scans.items() for scan in found)


def place_rows(part: Part):
    for name, found in part.separation.items():
        calibration = part.calibrations.get(name)
        for index, (place, separation) in enumerate(found.items()):
            scan = [np.nan] * len(SCAN_COLUMNS)
            if calibration is not None:
                null_T, c = calibration.null[index], calibration
                scan = [c.score[index], null_T.mean(), null_T.std(), c.z[index], c.p[index],
                        c.p_family[index], c.p_step_down[index], c.by("nodes").z[index],
                        c.by("nodes").p_family[index],
                        part.told.get(name, {}).get(place, np.nan)]  # fmt: skip
            values = [
                values[metric]
                for metric in METRICS
                for values in (separation.mean, separation.deviation)
            ]
            alone = part.detections[name][place]
            yield (
                *place_cells(place), name, part.wording[name][0], int(separation.constant),
                *values, *scan, *(getattr(alone, field) for field in DETECTION),
            )  # fmt: skip


def run_rows(part: Part):
    for name, scan in all_scans(part):
        runs, ids = scan.runs, part.pool_ids[name]
        starts_R = (~np.isnan(runs.start_scores[0])).sum(-1)
        for r in range(len(scan.precision_R)):
            returned = [ids[scan.rows[i]] for i in np.flatnonzero(runs.rows[0, r])]
            high, low = (np.flatnonzero(half[0, r]) for half in (runs.high_LRD, runs.low_LRD))
            yield (
                *place_cells(scan.place), name, part_of(scan), part.wording[name][0], r,
                runs.score[0, r], runs.alpha[0, r], int(runs.at_smallest_alpha[0, r]),
                int(starts_R[r]), int(runs.starts_at_best[0, r]), len(returned),
                len(np.union1d(high, low)), scan.precision_R[r], scan.recall_R[r],
                ";".join(returned), " ".join(map(str, high)), " ".join(map(str, low)),
            )  # fmt: skip


def node_rows(part: Part):
    for name, scan in all_scans(part):
        nodes = scan.q_C.size // scan.halves
        null_TC = scan.frequency_TC[1:]
        null_C = null_TC.mean(0) if len(null_TC) else np.full(scan.q_C.size, np.nan)
        effect_D = np.full(nodes, np.nan) if scan.tested is None else scan.tested.effect
        for column, direction in enumerate(scan.directions_C):
            node = column % nodes
            head = head_of(node, part.head_width) if scan.place.site == "head_out" else np.nan
            yield (
                *place_cells(scan.place), name, part_of(scan), node, head,
                DIRECTIONS[int(direction)], effect_D[node], float(scan.frequency_TC[0, column]),
                float(null_C[column]), int(scan.set_TC[0, column]), scan.q_C[column],
                scan.p_C[column],
            )  # fmt: skip


def head_rows(part: Part):
    for name, scan in all_scans(part):
        if scan.place.site != "head_out":
            continue
        share_H = selected_share(scan.frequency_TC[0], scan.halves, part.head_width)
        none_H, heads = np.full(share_H.size, np.nan), scan.heads
        tested = (heads.r2, heads.null_mean, heads.p_family) if heads else (none_H,) * 3
        for head, values in enumerate(zip(share_H, *tested, strict=True)):
            yield *place_cells(scan.place), name, part_of(scan), head, *map(float, values)


def overlap_rows(part: Part):
    for place, found in part.overlaps.items():
        for o in found:
            yield (
                *place_cells(place), " & ".join(o.names), o.observed, o.expected, o.exclusive,
                o.chance_mean, o.chance_low, o.chance_high, o.p, o.p_hypergeometric,
                o.same_direction, o.at_least,
            )  # fmt: skip


def finding_rows(part: Part):
    for found in part.findings():
        judged = found.judged
        means = (
            pooled(judged) if judged else dict.fromkeys(("precision", "recall", "auroc"), np.nan)
        )
        sets = [[(s.set_TC[0] & (s.directions_C == d)).sum() for s in judged] for d in (1, -1)]
        yield (
            found.name, part.wording[found.name][0], *place_cells(found.place), found.z,
            found.p_family, found.q, found.passing, found.places,
            "; ".join(str(s.place) for s in judged),
            "; ".join(f"{s.choice.p_judged:.6g}" for s in judged),
            *(means[k] for k in ("precision", "recall", "auroc")),
            *("; ".join(map(str, sizes)) for sizes in sets),
            "; ".join(str(s.tested.at_least()) for s in judged), *beyond_cells(part, found.name),
        )  # fmt: skip


def beyond_cells(part: Part, name: str) -> tuple:
    """Held-out AUROC of the chosen places and of word counts, and their difference."""
    found = part.held_out.get(name)
    if found is None:
        return (np.nan,) * 5
    claim = found.claim
    beyond = (claim.difference, claim.low, claim.high) if claim else (np.nan,) * 3
    return found.auroc, found.words, *beyond


def held_out_rows(part: Part):
    """Every row as it is told by a place and a direction that it did not choose."""
    for name, found in part.held_out.items():
        rows = zip(part.pool_ids[name], part.positive[name], found.fold_N.tolist(), strict=True)
        for i, (id_, positive, fold) in enumerate(rows):
            yield name, id_, int(positive), fold, str(found.places[fold]), found.score_N[i]


ALONE = (
    "auroc", "auroc_deviation", "auroc_low", "auroc_high", "tpr", "tpr_deviation", "background",
    "h0",
)  # fmt: skip


def detection_rows(part: Part):
    """Rows scanned alone, in every way, and what is simpler than a scan."""
    for name, found in part.alone.items():
        for detector, places in found.items():
            for place, d in places.items():
                values = (getattr(d, field) for field in ALONE)
                yield *place_cells(place), name, "scan", str(detector), *values
        for method, (place, d) in part.baselines[name].items():
            values = (getattr(d, field) for field in ALONE)
            yield *place_cells(place), name, method, "", *values


def tail_rows(part: Part):
    """Every place by the scan's own score in each tail; the first is that of the scans."""
    for name, tails in part.tails.items():
        for tail, c in tails.items():
            for index, place in enumerate(c.keys):
                yield (
                    *place_cells(place), name, tail, c.score[index], c.z[index], c.p[index],
                    c.p_family[index],
                )  # fmt: skip


def transfer_rows(part: Part):
    for name, found in part.transfers.items():
        for place, t in found.items():
            yield *place_cells(place), name, t.auroc, t.low, t.high, t.trained


def difference_rows(study: Study):
    """Networks beside the first one, on the same rows."""
    for first, part, name, detector, d in study.differences():
        (place, other), claim = d.places, d.claim
        yield (
            part.model, part.level, name, str(detector), "AB"[d.half], other.name,
            str(other.position), d.aurocs[1], first.model, place.name, str(place.position),
            d.aurocs[0], -claim.difference, -claim.high, -claim.low,
        )  # fmt: skip


def validation_rows(part: Part):
    for name, found in part.validations.items():
        for v in found:
            for method, metrics in v.methods.items():
                for metric, value in metrics.items():
                    yield *place_cells(v.place), name, v.half, method, metric, float(value)


def profile_rows(part: Part):
    """Each site and position: what it finds, where, and how late in the layers it lies."""
    for name, profiles in part.profiles.items():
        calibration = part.calibrations.get(name)
        for (site, position), line in lines_of(part.places).items():
            probe = np.array([part.separation[name][q].mean["probe_auroc"] for q in line])
            known = not np.isnan(probe).all()
            best = int(np.nanargmax(probe)) if known else 0
            z, passing, furthest = np.nan, "", ""
            if calibration is not None:
                at = {place: i for i, place in enumerate(calibration.keys)}
                numbers = [at[place] for place in line]
                top = int(np.argmax(calibration.z[numbers]))
                z, furthest = calibration.z[numbers][top], line[top].name
                passing = int((calibration.p_family[numbers] <= LEVEL).sum())
            p = profiles[site, position]
            yield (
                site, position, name, len(line), passing, furthest, z,
                line[best].name if known else "", probe[best], p.share, p.low, p.high, p.even,
            )  # fmt: skip


def persona_rows(part: Part):
    for topic, found in part.apart.items():
        for place, apart in found.items():
            values = (apart.precision, apart.f1, apart.accuracy, apart.chance)
            yield *place_cells(place), topic, *values


def intervention_rows(part: Part):
    """What edits of tested node sets and of their controls change."""
    for found in part.interventions:
        tested = found.tested
        for e in found.effects:
            own = e.method == FOUND
            yield (
                *place_cells(tested.place), tested.name, tested.half, tested.nodes, e.method,
                e.action, e.strength, e.outcome, e.unedited, e.effect, e.low, e.high, e.controls,
                *(e.p.get(kind, np.nan) for kind in CONTROLS),
                found.p_family.get(e.key, np.nan) if own else np.nan, e.divergence, e.perplexity,
                found.perplexity,
            )  # fmt: skip


def specificity_rows(part: Part):
    for c in part.specificity:
        yield c.judged, c.owner, c.half, c.action, c.strength, c.effect, c.low, c.high


SCANNED = (*PLACE, "comparison", "statements_scanned")
TABLES = {
    "places": Table(
        (
            *PLACE, "comparison", "wording_accuracy", "constant",
            *(f"{metric}_{part}" for metric in METRICS for part in ("mean", "deviation")),
            *SCAN_COLUMNS, *(f"detection_{field}" for field in DETECTION),
        ),
        place_rows,
    ),
    "findings": Table(
        (
            "comparison", "wording_accuracy", *PLACE, "z", "p_family", "q_over_comparisons",
            "places_passing", "places", "places_chosen", "p_on_the_other_half", "precision",
            "recall", "auroc", "node_set_high", "node_set_low", "nodes_at_least", "held_out_auroc",
            "words_auroc", "beyond_words", "beyond_words_low", "beyond_words_high",
        ),
        finding_rows,
    ),
    "runs": Table(
        (
            *SCANNED, "wording_accuracy", "run", "score", "alpha", "at_smallest_alpha", "starts",
            "starts_at_best", "n_statements", "n_nodes", "precision", "recall", "statements",
            "nodes_high", "nodes_low",
        ),
        run_rows,
    ),
    "nodes": Table(
        (
            *SCANNED, "node", "head", "direction", "effect", "frequency", "null_frequency",
            "in_set", "q", "p_family",
        ),
        node_rows,
    ),
    "held_out": Table(("comparison", "id", "h1", "fold", "place", "score"), held_out_rows),
    "detection": Table((*PLACE, "comparison", "method", "tail", *ALONE), detection_rows),
    "tails": Table(
        (*PLACE, "comparison", "tail", "statistic", "z", "p", "p_family"), tail_rows
    ),
    "transfer": Table(
        (*PLACE, "comparison", "auroc", "auroc_low", "auroc_high", "trained_on"), transfer_rows
    ),
    "differences": Table(
        (
            "comparison", "tail", "half_that_chose", "layer", "position", "auroc", "other_model",
            "other_layer", "other_position", "other_auroc", "difference", "difference_low",
            "difference_high",
        ),
        difference_rows,
        whole=True,
    ),
    "validation": Table(
        (*PLACE, "comparison", "found_on_half", "method", "metric", "value"), validation_rows
    ),
    "interventions": Table(
        (
            *PLACE, "comparison", "found_on_half", "nodes", "method", "action", "strength",
            "outcome", "unedited", "effect", "low", "high", "controls", "p_random_nodes",
            "p_like_variance", "p_random_direction", "p_family", "divergence", "perplexity",
            "perplexity_unedited",
        ),
        intervention_rows,
    ),
    "specificity": Table(
        (
            "comparison", "set_of", "found_on_half", "action", "strength", "effect", "low", "high",
        ),
        specificity_rows,
    ),
    "profiles": Table(
        (
            "site", "position", "comparison", "layers", "places_passing", "furthest", "z",
            "best_probe", "probe_auroc", "last_third", "last_third_low", "last_third_high",
            "last_third_even",
        ),
        profile_rows,
    ),
    "personas": Table((*PLACE, "topic", "precision", "f1", "accuracy", "chance"), persona_rows),
    "heads": Table(
        (*SCANNED, "head", "share_selected", "r2", "r2_permuted", "p_family"), head_rows
    ),
    "overlaps": Table(
        (
            *PLACE, "comparisons", "observed", "expected_by_chance", "exclusive", "chance_mean",
            "chance_low", "chance_high", "chance_p", "hypergeometric_p", "same_direction",
            "at_least",
        ),
        overlap_rows,
    ),
}  # fmt: skip
ALIASES = {"layers": "places"}


def frame(study: Study, name: str):
    """A table as a pandas DataFrame (extra `frames`).

    A column in which a text stands has texts alone: positions are "last" and "-2".

    Raises InputError for a table that is none, and where pandas is not installed.
    """
    name = ALIASES.get(name, name)
    if name not in TABLES:
        raise InputError(f"{name!r} is no table of a study; tables: {', '.join(TABLES)}")
    try:
        import pandas
    except ModuleNotFoundError as error:
        raise InputError("pandas is not installed; pip install -e '.[frames]'") from error
    rows = list(TABLES[name].of(study))
    made = pandas.DataFrame(rows, columns=TABLES[name].header)
    for column in made.columns:  # Parquet, for one, takes none of both
        mixed = pandas.api.types.is_object_dtype(made[column])
        if mixed and any(isinstance(value, str) for value in made[column]):
            made[column] = made[column].map(str)
    return made

"""What the statistic, the tail and the family buy, on personas in a real model.

Letters: P places, T permutations, R runs.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from matplotlib.figure import Figure

from personascan.analysis.rates import precision_recall
from personascan.calibration import nodes
from personascan.calibration.family import family_p, studentise, tie_draws
from personascan.calibration.null import null_frequencies, null_scores
from personascan.calibration.scan_labellings import draw_labellings
from personascan.models.load import load_model
from personascan.places import Place, chosen_places
from personascan.scan.options import ScanOptions
from personascan.scan.runs import scan_pool
from personascan.scan.samples import SampleOptions
from personascan.sources.language.extract import extract
from personascan.sources.language.statements import load_statements
from personascan.study.comparisons import comparisons

RUNS = (1, 2, 5, 10, 20)
STARTS = (1, 2, 5, 10)  # as many runs fewer, at equal cost
NODE_RUNS = 50
TAILS = ("two", "signed")


class PlaceRows(Mapping):
    """Some rows of activations, place by place: {Place: [N, D]}, copied when asked for."""

    def __init__(self, arrays: Mapping, places: list[Place], rows):
        self.arrays, self.places, self.rows = arrays, places, np.asarray(rows)

    def __getitem__(self, place: Place) -> np.ndarray:
        return self.arrays[place.site, place.position][place.layer][self.rows]

    def shape(self, place: Place) -> tuple[int, int]:
        """Rows and nodes [N, D] of a place, without a copy."""
        return len(self.rows), self.arrays[place.site, place.position].shape[-1]

    def __iter__(self) -> Iterator[Place]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


def measure_statistic(
    model: str, statements: str, *, personas=(), position: str = "last", limit: int = 150,
    permutations: int = 60, every: int = 2, seed: int = 0,
) -> Iterator[dict]:  # fmt: skip
    """One line for each persona: every `every`-th layer's resid_post is the family.

    Yields what passes 5% of the family (one two-sided run and the raw maximum; the mean over ten
    runs and the studentised maximum, two-sided and signed); at the furthest place z by number of
    runs, z by starts at equal cost, z with geometric alphas, F1 of the rows, and nodes.
    """
    loaded = load_model(model)
    chosen = [
        s
        for persona in personas or (None,)
        for s in load_statements(statements, persona=persona, limit=limit)
    ]
    places = chosen_places(
        ("resid_post",), loaded.config.layers, range(0, loaded.config.layers, every), (position,)
    )
    kept = extract(loaded, chosen, sites=("resid_post",), positions=(position,)).stacks
    groups = {s.persona: [t for t in chosen if t.persona == s.persona] for s in chosen}
    for comparison in comparisons(2, groups):
        rows = np.array([i for i, s in enumerate(chosen) if s.persona == comparison.name])
        positive_N = np.array([chosen[i].positive for i in rows])
        pool = PlaceRows(kept, places, rows)
        yield {"what": comparison.name, "position": position} | measure_persona(
            pool, positive_N, permutations, seed
        )


def measure_persona(pool: PlaceRows, positive_N, permutations: int, seed: int) -> dict:
    """The line of one persona."""
    h0, h1 = int((~positive_N).sum()), int(positive_N.sum())
    samples = SampleOptions(int(0.6 * h0), int(0.2 * h0), int(0.2 * h1), NODE_RUNS)
    labellings = draw_labellings(positive_N, samples, permutations, seed)
    draws_PT = tie_draws(seed, pool, permutations + 1)
    scores = {
        tail: np.stack([null_scores(pool[p], labellings, max(RUNS), one_start(tail)) for p in pool])
        for tail in TAILS
    }  # [P, T + 1, R]
    raw = family_p(scores["two"][..., 0], draws_PT)
    line = {"places": len(pool), "passing": {"two, one run, raw maximum": int((raw <= 0.05).sum())}}
    for tail, scores_PTR in scores.items():
        z_PT = studentise(scores_PTR[..., :10].mean(-1))
        p = family_p(z_PT, draws_PT)
        line["passing"][f"{tail}, mean of 10, studentised"] = int((p <= 0.05).sum())
    best = int(studentise(scores["signed"].mean(-1))[:, 0].argmax())
    place = list(pool)[best]
    place_ND = pool[place]
    line["furthest"] = str(place)
    line["z_by_runs"] = {
        tail: [z_of(scores_PTR[best, :, :r].mean(1)) for r in RUNS]
        for tail, scores_PTR in scores.items()
    }
    line["z_by_starts"] = [
        z_of(
            null_scores(
                place_ND, labellings, max(RUNS) // starts, one_start("signed", starts=starts)
            ).mean(1)
        )
        for starts in STARTS
    ]
    log = one_start("signed", alphas="log")
    line["z_log_alphas"] = z_of(null_scores(place_ND, labellings, 10, log).mean(1))
    masks = [mask[:NODE_RUNS] for mask in labellings.masks(NODE_RUNS)]
    for tail in TAILS:
        found = scan_pool(place_ND, *masks, one_start(tail, starts=10))
        precision_R, recall_R = precision_recall(found.rows[0], masks[1], positive_N)
        f1_R = 2 * precision_R * recall_R / np.maximum(precision_R + recall_R, 1e-9)
        frequency_TC = null_frequencies(place_ND, labellings, one_start(tail))
        line[tail] = {
            "precision": mean(precision_R), "recall": mean(recall_R), "f1": mean(f1_R),
            "nodes_with_q<=0.1": int((nodes.q_values(frequency_TC) <= 0.1).sum()),
            "nodes_family_wise": int((nodes.family_p(frequency_TC, NODE_RUNS) <= 0.05).sum()),
        }  # fmt: skip
    return line


def one_start(tail: str, **keywords) -> ScanOptions:
    return ScanOptions(**(dict(tail=tail, starts=1) | keywords))


def z_of(statistic_T) -> float:
    return round(float(studentise(statistic_T[None])[0, 0]), 2)


def mean(values) -> float:
    return round(float(np.nanmean(values)), 3)


def draw_statistic(lines: list[dict]) -> Figure:
    """Mean z over personas by number of runs, and by starts at equal cost."""
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    by_runs, by_starts = figure.subplots(1, 2, sharey=True)
    for tail, tint in zip(TAILS, ("#D55E00", "#0072B2"), strict=True):
        z = np.array([line["z_by_runs"][tail] for line in lines])
        by_runs.plot(RUNS, z.mean(0), "o-", color=tint, label=f"tail={tail!r}")
        for one in z:
            by_runs.plot(RUNS, one, color=tint, alpha=0.15, lw=0.8)
    by_runs.set_xlabel("runs averaged, one start each")
    by_runs.set_ylabel("z of the observed labels\nat the furthest place")
    z = np.array([line["z_by_starts"] for line in lines])
    by_starts.plot(STARTS, z.mean(0), "o-", color="#0072B2", label="tail='signed'")
    by_starts.set_xlabel(f"starts a run; {max(RUNS)} starts in all")
    for axis, ticks in ((by_runs, RUNS), (by_starts, STARTS)):
        axis.set_xscale("log")
        axis.set_xticks(ticks, list(map(str, ticks)))
        axis.minorticks_off()
        axis.grid(alpha=0.3)
        axis.legend()
    figure.suptitle(f"What runs and starts buy: mean of {len(lines)} personas (thin: each)")
    return figure

"""The table of findings: a row for each comparison, from the results of several stages."""

import numpy as np

from personascan.analysis.crossfit import EMBEDDED, WORDS
from personascan.analysis.findings import run_means
from personascan.study.stage import PLACE, place_cells

FINDING_COLUMNS = (
    "comparison",
    "wording_accuracy",
    *PLACE,
    "z",
    "p_family",
    "q_over_comparisons",
    "places_passing",
    "places",
    "places_chosen",
    "p_on_the_other_half",
    "precision",
    "recall",
    "auroc",
    "node_set_high",
    "node_set_low",
    "nodes_at_least",
    "held_out_auroc",
    *(
        f"{beyond}{way}{end}"
        for way in ("words", "embedding")
        for beyond, end in (
            ("", "_auroc"),
            ("beyond_", ""),
            ("beyond_", "_low"),
            ("beyond_", "_high"),
        )
    ),
)


def finding_rows(part):
    for finding in part.findings():
        judged = finding.judged
        means = (
            run_means(judged) if judged else dict.fromkeys(("precision", "recall", "auroc"), np.nan)
        )
        sets = [[(s.set_TC[0] & (s.directions_C == d)).sum() for s in judged] for d in (1, -1)]
        yield (
            finding.name, part.wording[finding.name][0], *place_cells(finding.place), finding.z,
            finding.p_family, finding.q, finding.passing, finding.places,
            "; ".join(str(s.place) for s in judged),
            "; ".join(f"{s.choice.p_judged:.6g}" for s in judged),
            *(means[k] for k in ("precision", "recall", "auroc")),
            *("; ".join(map(str, sizes)) for sizes in sets),
            "; ".join(str(s.tested.at_least()) for s in judged), *beyond_cells(part, finding.name),
        )  # fmt: skip


def beyond_cells(part, name: str) -> tuple:
    """Returns the held-out AUROC of chosen places, then of words and embedding with differences."""
    held_out, none = part.held_out.get(name), (np.nan,) * 4
    if held_out is None:
        return np.nan, *none, *none
    beside = [
        (one.auroc, one.claim.difference, one.claim.low, one.claim.high)
        if (one := held_out.simpler.get(way)) else none
        for way in (WORDS, EMBEDDED)
    ]  # fmt: skip
    return held_out.auroc, *beside[0], *beside[1]

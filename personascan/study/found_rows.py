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
    for found in part.findings():
        judged = found.judged
        means = (
            run_means(judged) if judged else dict.fromkeys(("precision", "recall", "auroc"), np.nan)
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


def beyond_cells(part, name: str) -> tuple:
    """Held-out AUROC of the chosen places, and of what is simpler with the difference."""
    found, none = part.held_out.get(name), (np.nan,) * 4
    if found is None:
        return np.nan, *none, *none
    beside = [
        (one.auroc, one.claim.difference, one.claim.low, one.claim.high)
        if (one := found.simpler.get(way)) else none
        for way in (WORDS, EMBEDDED)
    ]  # fmt: skip
    return found.auroc, *beside[0], *beside[1]

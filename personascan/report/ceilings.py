"""What controls and baselines leave to be shown: ceilings of AUROCs, floors of p-values.

Where a baseline is all but perfect, or controls are few, no result could have counted as better.
That is said of it, and never that a finding is not special or not used.
"""

import numpy as np

from personascan.analysis.findings import SIGNIFICANCE
from personascan.analysis.judged import FOUND, LENGTH, RANDOM
from personascan.study.results import Part

HIGH = 0.95  # below it an AUROC is no ceiling: rows are too few to tell
BEYOND = f"{FOUND} - {RANDOM}"


def at_ceiling(baseline: float, difference: float, low: float) -> bool:
    """Returns whether a baseline's AUROC is so high that no better one could be shown.

    baseline: its AUROC. difference, low: of the other score's AUROC less it, and the lower end of
    its interval, which lies as far below as the rows scatter: 1 itself is no further above.
    """
    return bool(baseline >= HIGH and 1 - baseline <= difference - low)


def ceiling_of(simpler) -> bool:
    """Returns whether a simpler score of held-out rows is at its ceiling."""
    return at_ceiling(simpler.auroc, simpler.claim.difference, simpler.claim.low)


def words_at_ceiling(part: Part, name: str) -> bool:
    """Returns whether nothing could be shown beyond the words of a comparison's statements."""
    held_out = part.held_out_texts.get(name)
    return bool(held_out and not held_out.beyond and ceiling_of(held_out.hardest))


def better_than_random(part: Part, names) -> dict[str, int] | None:
    """Returns how many sets tell the other half better than random nodes, and at how many
    nothing could: {"sets", "better", "ceiling"} and the mean AUROCs {"own", "random"}.

    None where no set was judged beside random ones.
    """
    rows = [
        (v.methods[FOUND]["auroc"], v.methods[RANDOM]["auroc"], *claim_of(v))
        for name in names
        for v in part.validations.get(name, [])
        if {FOUND, RANDOM, BEYOND} <= set(v.methods)
    ]
    rows = [row for row in rows if not np.isnan(row).any()]
    if not rows:
        return None
    better = sum(low > 0 for *_, low in rows)
    ceiling = sum(
        low <= 0 and at_ceiling(random, difference, low) for _, random, difference, low in rows
    )
    own, random, *_ = np.mean(rows, axis=0)
    return {"sets": len(rows), "better": better, "ceiling": ceiling, "own": own, "random": random}


def claim_of(validation) -> tuple[float, float]:
    """Returns by how much found nodes beat random ones, and the lower end of the interval."""
    claim = validation.methods[BEYOND]
    return claim["difference"], claim["low"]


def length_auroc(part: Part, name: str) -> float:
    """Returns how well the length of statements alone tells the sides, whichever is longer."""
    values = [
        v.methods.get(LENGTH, {}).get("auroc", np.nan) for v in part.validations.get(name, [])
    ]
    # Exactly a half: all are of one length, or neither side is longer.
    known = [value for value in values if not np.isnan(value) and value != 0.5]
    return float(max(np.mean(known), 1 - np.mean(known))) if known else np.nan


def control_floor(part: Part) -> float:
    """Returns the least p that the controls of edits allow: one over their number and one more."""
    counts = [
        e.controls
        for one in part.interventions
        for e in one.effects
        if e.method == FOUND and e.controls
    ]
    return 1 / (min(counts) + 1) if counts else np.nan


def floor_words(part: Part) -> str:
    """Returns that controls are too few for any p to pass; "" where they are enough."""
    floor = control_floor(part)
    if not floor > SIGNIFICANCE:
        return ""
    return (
        f"not tested: with {round(1 / floor) - 1} of each kind of control no p can be below "
        f"{floor:.2g}, so "
        f"that no set can pass at {SIGNIFICANCE:.0%}"
    )

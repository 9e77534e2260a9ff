"""Sentences on which rows were compared: those left out, and those that go together."""

from personascan.report.words import joined, safe
from personascan.study.results import Part

NAMED = 4  # comparisons that a sentence names; more are counted


def left_out_sentence(part: Part) -> str:
    """How many rows the comparisons do without, and why; "" where they have all."""
    reasons = {
        "shared": "whose entity has rows on both sides and was dealt to one of them",
        "beyond": "beyond the limit of a side, or beyond what gives each of its groups as many",
    }
    said = []
    for field, why in reasons.items():
        found = {name: getattr(left, field) for name, left in part.left_out.items()}
        each = [
            f"{h1} H1 and {h0} H0 {part.terms.rows} of {safe(name)}"
            for name, (h1, h0) in found.items()
            if h1 or h0
        ]
        if len(each) > NAMED:
            rows = sum(map(sum, found.values()))
            each = [f"{rows:,} {part.terms.rows} of {len(each)} comparisons"]
        if each:
            said.append(f"{joined(each)}, {why}")
    return f"Left out: {'; '.join(said)}." if said else ""


def exchanged_sentence(part: Part) -> str:
    """What was exchanged where labels were permuted; "" where it was single rows."""
    if not part.entities:
        return ""
    paired = {n: e for n, e in part.entities.items() if e[1].kind != "entities"}
    whole = {n: e for n, e in part.entities.items() if n not in paired}
    rows = part.terms.rows
    said = []
    if whole:
        said.append(
            f"Where {rows} name entities, labels of whole entities were exchanged, whatever their "
            f"sizes. Distinct labellings: {counted(whole, 'entities')}; no p can be below one over "
            "their number (two, where the sides have equally many entities)."
        )
    if paired:
        said.append(
            f"Where {rows} name pairs, labels were exchanged within pairs alone, and each pair was "
            "kept whole in halves, folds and resamples. Distinct labellings: "
            f"{counted(paired, 'pairs')}; no p can be below two over their number."
        )
    return " ".join(said)


def counted(entities: dict, called: str) -> str:
    """Distinct labellings by comparison, or the fewest of many."""
    if len(entities) > NAMED:
        name, (number, exchange) = min(entities.items(), key=lambda one: one[1][1].distinct)
        return f"the fewest are {exchange.many}, of {number} {called}, for {safe(name)}"
    return joined(
        f"{safe(name)} {exchange.many} of {number} {called}"
        for name, (number, exchange) in entities.items()
    )

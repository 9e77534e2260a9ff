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
    counts = [
        f"{safe(name)} {exchange.many} of {entities} entities"
        for name, (entities, exchange) in part.entities.items()
    ]
    if len(counts) > NAMED:
        name, (entities, exchange) = min(part.entities.items(), key=lambda one: one[1][1].distinct)
        counts = [f"the fewest are {exchange.many}, of {entities} entities, for {safe(name)}"]
    return (
        f"Where {part.terms.rows} name entities, labels of whole entities were exchanged, whatever "
        f"their sizes. Distinct labellings: {joined(counts)}; no p can be below one over their "
        "number (two, where the sides have equally many entities)."
    )

"""Sentences of the page on the groups of rows within which labels were permuted."""

from personascan.report.words import NAMED, safe, word_list
from personascan.study.results import Part


def exchanged_sentence(part: Part) -> str:
    """Returns within which groups labels were permuted; "" where rows were exchanged singly."""
    if not part.entities:
        return ""
    paired = {n: e for n, e in part.entities.items() if e[1].kind != "entities"}
    whole = {n: e for n, e in part.entities.items() if n not in paired}
    rows, said = part.terms.rows, []
    if whole:
        said.append(
            f"Where {rows} name entities, labels of whole entities were exchanged, whatever their "
            f"sizes. Distinct labellings: {labellings_words(whole, 'entities')}; no p can be below "
            "one over their number (two, where the sides have equally many entities)."
        )
    if paired:
        kept = (
            "all answers to a question were kept together"
            if part.config.conversations
            else "each pair was kept whole"
        )
        said.append(
            f"Where {rows} name pairs, labels were exchanged within pairs alone, and {kept} in "
            "halves, folds and resamples. Distinct labellings: "
            f"{labellings_words(paired, 'pairs')}; no p can be below two over their number."
        )
    return " ".join(said)


def labellings_words(entities: dict, called: str) -> str:
    """Returns the distinct labellings by comparison, or the fewest of many."""
    if len(entities) > NAMED:
        name, (number, exchange) = min(entities.items(), key=lambda one: one[1][1].distinct)
        return f"the fewest are {exchange.many}, of {number} {called}, for {safe(name)}"
    return word_list(
        f"{safe(name)} {exchange.many} of {number} {called}"
        for name, (number, exchange) in entities.items()
    )

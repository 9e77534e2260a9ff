"""The question of a page: what is set against what, on how many rows, at how many places."""

from personascan.report.lead import has_personas
from personascan.report.words import as_code, quantity, rows_word, safe, word_list
from personascan.study.results import Part


def asked_sentence(part: Part) -> str:
    """Returns the question: which sides are compared, on how many rows, at how many places."""
    lines = word_list(
        map(safe, dict.fromkeys(place.network or place.site for place in part.places))
    )
    where = f"of {as_code(part.model)} (layers of {lines})"
    places = len(part.places)
    differ = (
        f"at which of {places} places {where} do activations differ"
        if places > 1
        else f"do activations at the one place {where} differ"
    )
    h1, h0 = side_words(part)
    return (
        f"Asked about {about_words(part)}: {differ} between {h1} (H1) and {h0} (H0)? "
        f"{sizes_words(part)}{' of each' * (len(part.scans) > 1)}."
    )


def sides_sentence(part: Part) -> str:
    """Returns what the rows of H1 and of H0 are."""
    h1, h0 = side_words(part, of="" if len(part.scans) > 1 else safe(next(iter(part.scans))))
    whose = "" if has_personas(part) or all(marked_words(part)) else f" of {about_words(part)}"
    return f"H1{whose}: {h1}; H0: {h0}."


def about_words(part: Part) -> str:
    """Returns the one comparison by its name, or how many there are."""
    if len(part.scans) == 1:
        return safe(next(iter(part.scans)))
    what = "comparison" if not has_personas(part) else "topic" if part.level == 0 else "persona"
    return f"each of {quantity(len(part.scans), what)}"


def side_words(part: Part, of: str = "it") -> tuple[str, str]:
    """Returns what the rows of H1 and of H0 are; of: what stands for the comparison's name."""
    marked = marked_words(part)
    if part.level == 2 and all(marked):
        h1, h0 = (f"'{safe(word)}'" for word in marked)
        return f"the {rows_word(part)} marked {h1}", f"those marked {h0}"
    if not has_personas(part):
        return safe(part.terms.h1), safe(part.terms.h0)
    persona, topic = of or "a persona", of or "a topic"
    topics = "its personas" if topic == "it" else f"the personas of {topic}"
    return {
        2: (f"the statements for {persona}", "those against it"),
        1: (f"the statements for {persona}", "those for the other personas of its topic"),
        0: (f"the statements for {topics}", "those for the personas of the other topics"),
    }[part.level]


def marked_words(part: Part) -> tuple[str, str]:
    """Returns the word of either side in the source, where it has one of its own; else ""."""
    words = {True: {}, False: {}}
    for name in part.scans:
        for row in part.source.groups.get(name, ()):
            word = getattr(row, "marked", "")
            words[row.positive].setdefault(word.lower(), word)
    return tuple(
        next(iter(words[side].values())) if len(words[side]) == 1 else "" for side in (True, False)
    )


def sizes_words(part: Part) -> str:
    """Returns how many rows the sides of the comparisons have, or how many pairs."""
    rows = rows_word(part)
    paired = [n for n, (_, exchange) in part.entities.items() if exchange.kind != "entities"]
    all_paired = 0 < len(paired) == len(part.pool_sizes)
    sizes = sorted(set(part.pool_sizes.values()))
    # Of pairs with several rows a side, the rows are counted.
    single = all(part.pool_sizes[name] == (part.entities[name][0],) * 2 for name in paired)
    if all_paired and single:
        return f"{', '.join(str(a) for a, _ in sizes)} pairs of {rows}"
    return f"{', '.join(f'{a} + {b}' for a, b in sizes)} {rows}{' in pairs' * all_paired}"

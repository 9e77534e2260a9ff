"""Sections of the page on a direction: the words that carry it, and the tokens that it writes."""

import numpy as np

from personascan.analysis.findings import SIGNIFICANCE
from personascan.report.shaded import Shaded, ShadedGroup, ShadedText
from personascan.report.words import (
    Section,
    Table,
    as_code,
    between,
    name_and_place,
    number,
    p_words,
    rows_word,
    safe,
    word_list,
)
from personascan.study.results import Part
from personascan.study.stages.promoted import TokenList
from personascan.study.stages.tokens import ShadedStatement, ShadedStatements

TEXTS = 480  # on a page, of all comparisons together
MOST = 5  # of a group
LISTED = 8  # tokens of an end
GROUPS = {  # (surprising, H1): what stands above them
    (True, False): "Surprising: H0 that scores highest",
    (True, True): "Surprising: H1 that scores lowest",
    (False, True): "Typical: H1 that scores highest",
    (False, False): "Typical: H0 that scores lowest",
}


def tokens_section(part: Part) -> Section | None:
    """Returns statements whose words are shaded by their projection on the found direction."""
    if not part.tokens:
        return None
    called = rows_word(part)
    rows = [
        [safe(name), one.place, auroc_cell(one), number(one.agreement, "+.2f")]
        for name, one in part.tokens.items()
    ]
    # The comparison whose words explain its scores best is the one that stands open.
    agreement = {
        name: -2.0 if one.at_chance else np.nan_to_num(one.agreement, nan=-1.0)
        for name, one in part.tokens.items()
    }
    clearest = max(agreement, key=agreement.__getitem__)
    most = max(1, min(MOST, TEXTS // (len(GROUPS) * len(part.tokens))))
    return Section(
        f"Which words carry it: {called}, token by token",
        chance_text(part),
        "Each comparison stands at its furthest place, the one that the top of this page names. "
        f"There one half of the {called} (A) found the direction that tells H1 "
        "from H0 (a ridge regression). Each token of the other half's (B) is shaded by the "
        "activations there along that direction: orange is as H1, blue as H0, in deviations of "
        f"the tokens of H0 {called} that were read, from their mean. The number in front is the "
        "score at the place's own position, by which the surprising ones stand first: H0 that "
        "scores as H1 does, and H1 that scores as H0 does. `tokens.csv` has every token.",
        "The direction was found at one position of the prompt. At other tokens it may say "
        "nothing: the last column is how far the mean of the words goes along with the score "
        f"(correlation, of the {called} that were read; near 0, the shades of words do not explain "
        f"it). AUROC on half B: how well the scores of its {called} tell H1 from H0 (0.5 is "
        "chance), with a 95% interval; both halves had a part in the choice of the place, half A "
        "alone in that of the direction.",
        Table(["", "place", "AUROC on half B (95%)", "words and score"], rows),
        *(
            shaded_block(name, one, most, opened=name == clearest and not one.at_chance)
            for name, one in part.tokens.items()
        ),
    )


def auroc_cell(one: ShadedStatements) -> str:
    return f"{number(one.auroc)} ({between(one.low, one.high)})"


def chance_text(part: Part) -> str:
    """Returns for which comparisons shades mean nothing, as half B is told by chance."""
    said = [
        f"**{safe(name)}** (AUROC {number(one.auroc)}, {between(one.low, one.high)})"
        for name, one in part.tokens.items()
        if one.at_chance
    ]
    if not said:
        return ""
    return (
        f"**At chance on the other half**, so that its shades mean nothing: {word_list(said)}. The "
        "95% interval of the AUROC on half B reaches down to 0.5 or below."
    )


def shaded_block(name: str, one: ShadedStatements, most: int, opened: bool) -> Shaded:
    """Returns the statements of a comparison as a block of the page."""
    groups = []
    for (surprising, positive), title in GROUPS.items():
        own = [s for s in one.statements if (s.surprising, s.positive) == (surprising, positive)]
        groups.append(ShadedGroup(title, tuple(map(shaded_text, own[:most]))))
    chance = ": at chance on the other half, the shades mean nothing" if one.at_chance else ""
    return Shaded(f"{name_and_place(name, one.place)}{chance}", tuple(groups), opened)


def shaded_text(one: ShadedStatement) -> ShadedText:
    """Returns a statement in its own tokens; the prompt's first token is left without shade."""
    values = [
        0.0 if number == 0 else float(value)
        for number, value in enumerate(one.value_T)
        if one.first <= number <= one.last
    ]
    label = f"{'H1' if one.positive else 'H0'} {one.score:+.1f}"
    return ShadedText(label, one.pieces[one.own], tuple(values))


def promoted_section(part: Part) -> Section | None:
    """Returns the tokens that each direction promotes and suppresses, beside chance."""
    lists = [
        (name, one.place, end, listed)
        for name, one in part.promoted.items()
        for end, listed in one.ends.items()
    ]
    if not lists:
        return None
    rows = [
        [
            safe(name), place, end, token_words(listed), number(abs(listed.z[0]), ".1f"),
            number(listed.usual("random"), ".1f"), number(listed.usual("shuffled"), ".1f"),
            p_words(listed.p("shuffled")),
        ]
        for name, place, end, listed in lists
    ]  # fmt: skip
    passing = sum(listed.p("shuffled") <= SIGNIFICANCE for *_, listed in lists)
    draws = max(listed.chance["shuffled"].size for *_, listed in lists)
    return Section(
        "What the direction writes: tokens promoted and suppressed",
        stand_in_text(part),
        "The direction is the mean of H1 less that of H0 (of half A), one deviation of H0 long. It "
        "is carried straight to the logits, by which the model ranks the next token: logits = "
        "unembedding × (the final norm's gain × direction / the length by which that norm divides "
        "H0 rows). Layers between are left out, and so is a soft cap. Each token stands with its "
        "logit, less the mean of all tokens, in the order of z: that logit in deviations of what "
        "random directions as long add to the same token. `promoted.csv` has more.",
        f"A list always has a first token. What the largest z of {draws} random directions, and of "
        "directions of shuffled labels, stays below in 95% of cases stands beside it: "
        f"{passing} of {len(lists)} lists have a p of {SIGNIFICANCE:g} or less against shuffled "
        f"labels (about {SIGNIFICANCE * len(lists):.1f} would by chance). The others are not told "
        "from chance by their first token, however they read.",
        Table(
            [
                "", "place", "end", "tokens (logits per deviation)", "largest z", "random, 95%",
                "shuffled, 95%", "p",
            ],
            rows,
        ),
    )  # fmt: skip


def stand_in_text(part: Part) -> str:
    """Returns where directions are read: at the places that the headline names, or why not."""
    others = [
        f"{name_and_place(name, one.place)}{z_words(part, name, one.place)}"
        for name, one in part.promoted.items()
        if one.place != part.furthest[name]
    ]
    if not others:
        return (
            "Each comparison's direction is read at its furthest place, the one that the top of "
            "this page names."
        )
    rest = "" if len(others) == len(part.promoted) else " The others are read at their furthest."
    return (
        "Read at the place that half A chose, and not at the furthest one, which the top of this "
        f"page names: {word_list(others)}. The unembedding reads the coordinates of the stream "
        f"alone, and the furthest place is a site in others.{rest}"
    )


def z_words(part: Part, name: str, place) -> str:
    """Returns the z of a place in brackets; "" where labels were not permuted."""
    tests = part.calibrations.get(name)
    return f" (z {tests.z[tests.keys.index(place)]:.1f})" if tests else ""


def token_words(listed: TokenList) -> str:
    """Returns the first tokens of a list, each with its logit."""
    shown = zip(listed.pieces[:LISTED], listed.logits, strict=False)
    return ", ".join(f"{as_code(piece)} {logit:+.2f}" for piece, logit in shown if piece)

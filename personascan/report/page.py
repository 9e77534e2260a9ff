"""The page of a part: the question, the findings, and the list of its sections."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from personascan.report.asked import asked_sentence, sides_sentence
from personascan.report.cards import Card, cards
from personascan.report.lead import lead, special_sentence
from personascan.report.sections.controls import controls_section, recipes_section
from personascan.report.sections.edits import edits_section
from personascan.report.sections.found import found_section, late_section, tails_section
from personascan.report.sections.judged import own_judgement_section
from personascan.report.sections.nodes import kinds_section, nodes_section, runs_section
from personascan.report.sections.rows import alone_section, held_out_section, judged_section
from personascan.report.sections.separation import (
    apart_section,
    separation_section,
    transfer_section,
)
from personascan.report.sections.sweep import sweep_section
from personascan.report.sections.tokens import promoted_section, tokens_section
from personascan.report.sections.written import written_section
from personascan.report.words import (
    NAMED,
    Section,
    Table,
    as_code,
    name_list,
    number,
    quantity,
    safe,
    word_list,
)
from personascan.study.order import STAGES
from personascan.study.results import AGAINST, Part
from personascan.study.stage import Stage


@dataclass(frozen=True)
class PartPage:
    """A model at a level, in words. Texts are inline Markdown."""

    title: str
    asked: str
    lead: tuple[str, ...]  # what was found, in a few sentences
    cards: tuple[Card, ...]  # of each comparison, the clearest first; none without permutations
    special: str  # whether found nodes tell more than random ones; "": not tested
    how: str  # what was put through the network, and what was kept
    sections: tuple[Section, ...]
    placed: dict[str, Section]  # by the part of the page in which they stand

    def packed(self) -> dict:
        """Returns the page as JSON holds it."""
        return {
            "title": self.title, "asked": self.asked, "lead": list(self.lead), "how": self.how,
            "cards": [card.packed() for card in self.cards], "special": self.special,
            "sections": [section.packed() for section in self.sections],
            "placed": {at: section.packed() for at, section in self.placed.items()},
        }  # fmt: skip


def part_page(part: Part) -> PartPage:
    """Returns the page of a part."""
    return PartPage(
        title=title_words(part),
        asked=asked_sentence(part),
        lead=lead(part),
        cards=tuple(cards(part)),
        special=special_sentence(part),
        how=how_sentences(part),
        sections=tuple(filter(None, (section(part) for section in SECTIONS))),
        placed={at: one for at, section in PLACED.items() if (one := section(part))},
    )


def several_names(names) -> str:
    """Returns some names, and how many more."""
    names = list(names)
    if len(names) <= 2 * NAMED:
        return name_list(names)
    return f"{', '.join(map(safe, names[:NAMED]))} and {len(names) - NAMED} more"


def title_words(part: Part) -> str:
    """Returns the comparisons and the model; where levels are several, what each is set against."""
    beside = f": each against {AGAINST[part.level]}" if len(part.config.levels) > 1 else ""
    return f"{several_names(part.scans)} in {as_code(part.model)}{beside}"


def how_sentences(part: Part) -> str:
    """Returns which input the network was given, and which activations were kept."""
    record = "`study.json` holds the configuration, versions, seed and hashes of the inputs."
    said = [part.source.about]
    if part.texts and not part.source.about:
        least = part.config.min_confidence
        said = [f"The statements have a label confidence of {least:g} or more."]
        said += [prompt_sentence(part)]
    if part.texts:
        said += [kept_sentence(part)]
    sides = sides_sentence(part)
    return " ".join(filter(None, [sides, *said, left_out_sentence(part), record]))


def prompt_sentence(part: Part) -> str:
    """Returns how each statement became a prompt."""
    config, role = part.config, part.role
    around = [
        f"{what} {as_code(text)}"
        for what, text in (("behind", config.prefix), ("in front of", config.suffix))
        if text
    ]
    stands = f", {' and '.join(around)}" if around else ""
    if role == "none":
        why = "" if config.role == "none" else ", since the tokenizer has no chat template"
        return f"Each statement was put through the model as bare text{stands}{why}."
    template = [f"the template {as_code(config.template)}"] if config.template else []
    template += [as_code(keyword) for keyword in config.template_keywords]
    through = f" (with {', '.join(template)})" if template else ""
    return (
        f"Each statement was put through the model as a single {safe(role)} message{through}"
        f"{stands}."
    )


def kept_sentence(part: Part) -> str:
    """Returns which activations were kept, and in what precision."""
    config = part.config
    words = {
        "first": "the prompt's first token (`first`)",
        "last": "the prompt's last token (`last`)",
        "last_statement": "the statement's own last token (`last_statement`)",
        "mean_statement": "the mean over the statement's own tokens (`mean_statement`)",
        "mean": "the mean over all tokens of the prompt (`mean`)",
        "last_prompt": "the last token before the answer (`last_prompt`)",
        "first_response": "the answer's first token (`first_response`)",
        "last_response": "the answer's last token (`last_response`)",
        "mean_response": "the mean over the answer's tokens (`mean_response`)",
        "mean_thinking": "the mean over what it thinks aloud (`mean_thinking`)",
        "mean_answer": "the mean over the answer behind its thinking (`mean_answer`)",
    }
    positions = dict.fromkeys(place.position for place in part.places)
    kept = [words.get(p, f"the token at position {p} of the prompt") for p in positions]
    kind = "" if config.dtype == "float32" else f" (weights in {config.dtype})"
    return (
        f"The activations of {word_list(kept)} were kept at {name_list(config.sites)}{kind}: "
        f"{quantity(len(part.places), 'place')}."
    )


def left_out_sentence(part: Part) -> str:
    """Returns how many rows were left out, and why; "" if none was."""
    reasons = {
        "shared": "whose entity has rows on both sides and was dealt to one of them",
        "beyond": "beyond the limit of a side, or beyond what gives each of its groups as many",
    }
    said = []
    for field, why in reasons.items():
        sizes = {name: getattr(left, field) for name, left in part.left_out.items()}
        each = [
            f"{h1} H1 and {h0} H0 {part.terms.rows} of {safe(name)}"
            for name, (h1, h0) in sizes.items()
            if h1 or h0
        ]
        if len(each) > NAMED:
            rows = sum(map(sum, sizes.values()))
            each = [f"{rows:,} {part.terms.rows} of {len(each)} comparisons"]
        if each:
            said.append(f"{word_list(each)}, {why}")
    return f"Left out: {'; '.join(said)}." if said else ""


def stage_section(stage: Stage, part: Part) -> Section | None:
    """Returns a stage's own columns of the table of places, at each comparison's furthest place.

    None for a stage without a title, or without a number in this part.
    """
    if not stage.title or stage.columns is None:
        return None
    rows = [
        [safe(name), place, *map(shown_value, stage.columns.values(part, name, place))]
        for name, place in part.furthest.items()
    ]
    if all(cell == "-" for row in rows for cell in row[2:]):
        return None
    return Section(stage.title, stage.about, Table(["", "place", *stage.columns.names], rows))


def shown_value(value) -> str:
    """Returns a cell of the table of places for a reader; a dash where there is none."""
    if isinstance(value, float | np.floating):
        return number(value, ".3g")
    return safe(value) or "-"


def limits_section(part: Part) -> Section:
    """Returns the limits of what the numbers say."""
    notes = []
    if not part.calibrations:
        notes.append(
            "Scores carry no p-value here: noise alone gives high scores and node sets that recur "
            "between runs, because all runs draw from the same rows. Compare precision with "
            "chance, and overlaps with the number expected, or set where.permutations."
        )
    elif part.texts:
        notes.append(
            "A place or node that passes tells the labels apart; what it encodes may be wording, "
            "length or topic as well as the persona. Compare with the accuracy of word counts."
        )
    else:
        notes.append(
            "A place or node that passes tells the labels apart; what it encodes may be anything "
            "that differs between them. Compare with what is simpler than a scan."
        )
    notes.append(
        "Nodes of one layer are correlated: an overlap of node sets counts nodes, and those that "
        "move together count many times."
    )
    return Section("What these numbers do not say", *notes)


# What stands beside the statements, beside the nodes, and beside the effects of edits.
PLACED: dict[str, Callable[[Part], Section | None]] = {
    "statements": tokens_section,
    "nodes": promoted_section,
    "used": written_section,
}
# What a page says of a part, from its top to its end; a section of nothing is None.
SECTIONS: tuple[Callable[[Part], Section | None], ...] = (
    found_section,
    nodes_section,
    held_out_section,
    kinds_section,
    runs_section,
    tails_section,
    judged_section,
    controls_section,
    own_judgement_section,
    sweep_section,
    recipes_section,
    edits_section,
    alone_section,
    transfer_section,
    late_section,
    separation_section,
    apart_section,
    *(functools.partial(stage_section, stage) for stage in STAGES if stage.title),
    limits_section,
)

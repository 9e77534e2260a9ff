"""Sheets of the effects of edits of node sets."""

import numpy as np

from personascan.interventions.design import FOUND, STEER
from personascan.interventions.options import CONTROLS
from personascan.report.sections.edits import action_name, main_keys
from personascan.report.sheets.columns import Grouped, Sheet
from personascan.study.results import Study
from personascan.visible import visible


def edit_sheets(study: Study) -> dict[str, Sheet]:
    """Returns every tested node set, and the effect of each method and action on each outcome."""
    edits = Grouped("part", "edit", "comparison", "half", "place", "nodes", by="part")
    effects = Grouped(
        "edit", "method", "control", "act", "action", "strength", "outcome", "effect", "low",
        "high", "p", "family_p", by="edit", keys={"edit": "edits"},
    )  # fmt: skip
    count = 0
    for p, part in enumerate(study.parts):
        lines = []
        for one in part.interventions:
            tested = one.tested
            number = effects.add_lines([(count, *effect_line(one, e)) for e in one.effects])
            count += 1
            lines.append(
                (p, number, visible(tested.name), tested.half, visible(str(tested.place)),
                 tested.nodes)
            )  # fmt: skip
        edits.add_lines(lines)
    return {"edits": edits.sheet(), "effects": effects.sheet(), "doses": doses_sheet(study)}


def doses_sheet(study: Study) -> Sheet:
    """Returns every method's effect on the answer by the strength of steering; 0 at strength 0."""
    rows = Grouped("method", "control", "strength", "effect", "low", "high", "p", by="edit")
    for part in study.parts:
        for one in part.interventions:
            lines = []
            for method in dict.fromkeys(e.method for e in one.effects):
                steered = one.of(method, STEER)
                control = int(method in CONTROLS)
                lines += [(method, control, 0.0, 0.0, 0.0, 0.0, np.nan)] if steered else []
                for e in steered:
                    p = next(iter(e.p.values()), np.nan)
                    lines.append((method, control, e.strength, e.effect, e.low, e.high, p))
            rows.add_lines(lines)
    return rows.sheet()


def acts_sheet(study: Study) -> Sheet:
    """Returns every action with its strength, those that are judged first."""
    rows = Grouped("act", by="part")
    for part in study.parts:
        judged = [action_name(*key) for key in main_keys(part)[::-1]] if part.interventions else []
        done = [action_name(e.action, e.strength) for f in part.interventions for e in f.effects]
        rows.add([act for act in dict.fromkeys([*judged, *done]) if act in done])
    return rows.sheet()


def effect_line(tested, e) -> tuple:
    p = [value for value in e.p.values() if not np.isnan(value)]
    family = tested.p_family.get(e.key, np.nan) if e.method == FOUND else np.nan
    return (
        e.method, int(e.method in CONTROLS), action_name(e.action, e.strength), e.action,
        e.strength, e.outcome, e.effect, e.low, e.high, p[0] if p else np.nan, family,
    )  # fmt: skip


def specificity_sheet(study: Study) -> Sheet:
    """Returns each comparison's node set on the statements of every comparison, by halves."""
    rows = Grouped("judged", "owner", "half", "act", "effect", "low", "high", by="part")
    for part in study.parts:
        lines = [
            (visible(c.judged), visible(c.owner), c.half,
             action_name(c.action, c.strength), c.effect, c.low, c.high)
            for c in part.specificity
        ]  # fmt: skip
        rows.add_lines(lines)
    return rows.sheet()

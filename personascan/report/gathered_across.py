"""What a page shows across places and comparisons, as sheets: overlaps, validation, edits."""

import numpy as np

from personascan.analysis.overlaps import exclusive_counts
from personascan.interventions.design import FOUND, STEER
from personascan.interventions.options import CONTROLS
from personascan.report.charts.venn import SHAPES, middles, outline
from personascan.report.intervened import action_name, main_keys
from personascan.report.sheets import Grouped, Sheet, columns_of
from personascan.report.spots import Spot, spots
from personascan.study.results import Study
from personascan.visible import visible

COMBINATIONS = 30  # that an UpSet plot shows; more cannot be read


def across_sheets(study: Study) -> dict[str, Sheet]:
    """The sheets by name."""
    return {
        **overlap_sheets(study),
        "validation": validation_sheet(study),
        "ways": ways_sheet(study),
        **edit_sheets(study),
        "specificity": specificity_sheet(study),
        "acts": acts_sheet(study),
    }


def overlap_sheets(study: Study) -> dict[str, Sheet]:
    """Node sets of each named place: what they share, beside chance, and what only they share."""
    shared = Grouped("shared", "place", by="part")
    pairs = Grouped(
        "names", "sets", "observed", "expected", "ratio", "low", "high", "chance_mean", "p",
        "hypergeometric_p", by="shared",
    )  # fmt: skip
    exclusive = Grouped("combination", "names", "nodes", by="shared")
    members = Grouped("combination", "comparison", "inside", by="shared")
    outlines = Grouped("comparison", "order", "x", "y", by="shared")
    counts = Grouped("names", "nodes", "x", "y", by="shared")
    for part in study.parts:
        lines = []
        for place, found in part.overlaps.items():
            at = {n: s for n, ss in part.scans.items() for s in ss if s.place == place and s.plain}
            own = {name: int(scan.nodes_D.sum()) for name, scan in at.items()}
            shown = [o for o in found if all(own[name] for name in o.names)]
            number = pairs.add(*columns_of([overlap_line(o) for o in shown], len(pairs.names)))
            combinations = list(exclusive_counts({n: s.nodes_D for n, s in at.items()}).items())[
                :COMBINATIONS
            ]
            exclusive.add(*columns_of(
                [(i, together(c), n) for i, (c, n) in enumerate(combinations)], 3))  # fmt: skip
            members.add(*columns_of(
                [(i, visible(name), int(name in c)) for i, (c, _) in enumerate(combinations)
                 for name in own if own[name]], 3))  # fmt: skip
            some = {n: s.nodes_D for n, s in at.items() if own[n]}
            outlines.add(*columns_of(outline_lines(list(some)), 4))
            counts.add(*columns_of(count_lines(some), 4))
            lines.append((number, visible(str(place))))
        shared.add(*columns_of(lines, 2))
    made = {"shared": shared, "overlaps": pairs, "exclusive": exclusive, "members": members,
            "venn_outlines": outlines, "venn_counts": counts}  # fmt: skip
    return {name: one.sheet() for name, one in made.items()}


def outline_lines(names: list[str]) -> list[tuple]:
    """The outlines of a Venn diagram; none of one set, or of more than can be read."""
    lines = []
    for name, shape in zip(names, SHAPES.get(len(names), []), strict=False):
        points = zip(*outline(shape), strict=True)
        lines += [(visible(name), i, float(x), float(y)) for i, (x, y) in enumerate(points)]
    return lines


def count_lines(sets: dict[str, np.ndarray]) -> list[tuple]:
    """The nodes in exactly the sets of each region, and where the number stands."""
    if len(sets) not in SHAPES:
        return []
    names, exclusive = list(sets), exclusive_counts(sets)
    lines = []
    for members, (x, y) in middles(len(names)).items():
        inside = tuple(names[i] for i in members)
        lines.append((together(inside), exclusive.get(inside, 0), x, y))
    return lines


def together(names) -> str:
    return " & ".join(map(visible, names))


def overlap_line(o) -> tuple:
    """What sets share over what independent ones would, with the 95% of chance beside."""
    low, high = o.chance_low / o.expected, o.chance_high / o.expected
    return (
        together(o.names), len(o.names), o.observed, o.expected, o.observed / o.expected, low,
        high, o.chance_mean, o.p, o.p_hypergeometric,
    )  # fmt: skip


def validation_sheet(study: Study) -> Sheet:
    """Held-out AUROC of each method on the half that did not find the nodes."""
    rows = Grouped("of", "comparison", "half", "place", "method", "auroc", by="part")
    for part in study.parts:
        numbers = {name: i for i, name in enumerate(part.scans)}
        lines = [
            (numbers[name], visible(name), v.half, visible(str(v.place)), method, metrics["auroc"])
            for name, found in part.validations.items()
            for v in found
            for method, metrics in v.methods.items()
            if "auroc" in metrics and not np.isnan(metrics["auroc"])
        ]
        rows.add(*columns_of(lines, len(rows.names)))
    return rows.sheet()


def ways_sheet(study: Study) -> Sheet:
    """Rows scanned alone, by every detector, where there are several."""
    rows = Grouped("of", "comparison", "kind", "way", "place", "line", "layer", "spot", "auroc",
                   "low", "high", by="part")  # fmt: skip
    for part in study.parts:
        at, lines = spots(part), []
        for c, (name, found) in enumerate(part.alone.items()):
            ways = [
                ("scan" if way else "first", str(detector), at[place], places[place])
                for way, (detector, places) in enumerate(found.items())
                for place in part.places
            ]
            ways += [
                ("simpler", visible(method), Spot(visible(str(place)), "", "", -1, np.nan), d)
                for method, (place, d) in part.baselines[name].items()
            ]
            lines += [
                (
                    c, visible(name), kind, way, spot.place, spot.line, spot.layer, spot.number,
                    d.auroc, d.auroc_low, d.auroc_high,
                )
                for kind, way, spot, d in ways
            ]  # fmt: skip
        rows.add(*columns_of(lines if part.several_ways else [], len(rows.names)))
    return rows.sheet()


def edit_sheets(study: Study) -> dict[str, Sheet]:
    """Every tested node set, and what each method did by each action to each outcome."""
    edits = Grouped("part", "edit", "comparison", "half", "place", "nodes", by="part")
    effects = Grouped(
        "edit", "method", "control", "act", "action", "strength", "outcome", "effect", "low",
        "high", "p", "family_p", by="edit", keys={"edit": "edits"},
    )  # fmt: skip
    count = 0
    for p, part in enumerate(study.parts):
        lines = []
        for found in part.interventions:
            tested = found.tested
            number = effects.add(
                *columns_of(
                    [(count, *effect_line(found, e)) for e in found.effects], len(effects.names)
                )
            )
            count += 1
            lines.append(
                (p, number, visible(tested.name), tested.half, visible(str(tested.place)),
                 tested.nodes)
            )  # fmt: skip
        edits.add(*columns_of(lines, len(edits.names)))
    return {"edits": edits.sheet(), "effects": effects.sheet(), "doses": doses_sheet(study)}


def doses_sheet(study: Study) -> Sheet:
    """Every method's effect on the answer by the strength of steering; none at strength 0."""
    rows = Grouped("method", "control", "strength", "effect", "low", "high", "p", by="edit")
    for part in study.parts:
        for found in part.interventions:
            lines = []
            for method in dict.fromkeys(e.method for e in found.effects):
                steered = found.of(method, STEER)
                control = int(method in CONTROLS)
                lines += [(method, control, 0.0, 0.0, 0.0, 0.0, np.nan)] if steered else []
                for e in steered:
                    p = next(iter(e.p.values()), np.nan)
                    lines.append((method, control, e.strength, e.effect, e.low, e.high, p))
            rows.add(*columns_of(lines, len(rows.names)))
    return rows.sheet()


def acts_sheet(study: Study) -> Sheet:
    """Every action with its strength, those that are judged first."""
    rows = Grouped("act", by="part")
    for part in study.parts:
        judged = [action_name(*key) for key in main_keys(part)[::-1]] if part.interventions else []
        done = [action_name(e.action, e.strength) for f in part.interventions for e in f.effects]
        rows.add([act for act in dict.fromkeys([*judged, *done]) if act in done])
    return rows.sheet()


def effect_line(found, e) -> tuple:
    p = [value for value in e.p.values() if not np.isnan(value)]
    family = found.p_family.get(e.key, np.nan) if e.method == FOUND else np.nan
    return (
        e.method, int(e.method in CONTROLS), action_name(e.action, e.strength), e.action,
        e.strength, e.outcome, e.effect, e.low, e.high, p[0] if p else np.nan, family,
    )  # fmt: skip


def specificity_sheet(study: Study) -> Sheet:
    """Each comparison's node set on the statements of every comparison, by halves."""
    rows = Grouped("judged", "owner", "half", "act", "effect", "low", "high", by="part")
    for part in study.parts:
        lines = [
            (visible(c.judged), visible(c.owner), c.half,
             action_name(c.action, c.strength), c.effect, c.low, c.high)
            for c in part.specificity
        ]  # fmt: skip
        rows.add(*columns_of(lines, len(rows.names)))
    return rows.sheet()

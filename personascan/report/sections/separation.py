"""Sections of the page on methods that know the labels, and on several networks side by side."""

import numpy as np

from personascan.places import lines_of
from personascan.report.words import (
    Section,
    Shown,
    Table,
    as_code,
    between,
    capitalise,
    interval,
    line_name,
    name_list,
    rows_word,
    safe,
)
from personascan.study.results import Part, Study, best_place, probe_auroc_of

METRICS = {
    "probe_auroc": "probe, AUROC",
    "silhouette": "silhouette",
    "calinski_harabasz": "Calinski-Harabasz",
    "davies_bouldin": "Davies-Bouldin",
    "hull_distance": "hull distance",
}


def transfer_section(part: Part) -> Section | None:
    """Returns probes of the other comparisons, at their best place and at that of the scans."""
    if not part.transfers:
        return None
    rows = []
    for name, transfers in part.transfers.items():
        for what, place in (("best", best_place(transfers)), ("furthest", part.furthest[name])):
            t, d = transfers[place], part.detections[name][place]
            rows.append([safe(name), f"{what}: {safe(place)}", f"{t.auroc:.3f}",
                         between(t.low, t.high), f"{d.auroc:.3f}"])  # fmt: skip
    return Section(
        "A probe trained on the other comparisons",
        "Logistic regression, told the labels of all other comparisons and held to this one: a "
        "supervised yardstick that knows no label of it. Rows that both have are dealt out between "
        "training and judging. The best place is chosen on what it is judged by, which flatters "
        "it. Below 0.5 the direction of the others points the other way here; it is not turned "
        "round. `transfer.csv` has every place.",
        Table(["", "place", "probe, AUROC", "95% interval", "scan alone, AUROC"], rows),
    )


def separation_section(part: Part) -> Section:
    """Returns the section on a probe and cluster metrics, which know the labels."""
    rows = []
    for name, separations in part.separation.items():
        usable = {place: s for place, s in separations.items() if not s.constant}
        if not usable:
            continue
        best = best_place(usable, probe_auroc_of)
        accuracy, spread = part.wording[name]
        rows.append(
            [safe(name), *([f"{accuracy:.2f} ± {spread:.2f}"] if part.texts else []), best]
            + [f"{usable[best].mean[m]:.3g} ± {usable[best].deviation[m]:.2g}" for m in METRICS]
        )
    header = ["", *(["wording, accuracy"] if part.texts else []), "place of the best probe",
              *METRICS.values()]  # fmt: skip
    options, called, wording = part.config.separation, rows_word(part), ""
    if part.texts:
        words = [accuracy for accuracy, _ in part.wording.values()]
        wording = (
            " A bag of words knows wording alone: logistic regression on word counts reaches a "
            f"held-out accuracy of {between(min(words), max(words))} (guessing always the "
            f"larger class: up to {max(map(part.larger_share, part.pool_sizes)):.2f})."
        )
    constant = constant_places(part)
    sides = "the two directions" if part.level == 2 and part.texts else "H1 from H0"
    return Section(
        f"How far apart {sides} lie",
        f"A probe (logistic regression) is told the labels and held to new {called}: AUROC 0.5 is "
        f"chance.{wording} The cluster metrics describe the first "
        f"{options.components} principal components of both directions together, the hull distance "
        f"the first {options.hull_components}, in units of activation (of a place with fewer nodes "
        f"all that there are): silhouette and Calinski-Harabasz are higher where sides lie further "
        "apart, Davies-Bouldin is lower. Mean ± deviation over "
        f"{options.seeds} seeds. `places.csv` has every place; these are the ones with the best "
        "probe, which is chosen on what it is judged by:",
        Table(header, rows),
        f"The line whose places separate best is {safe(line_name(*best_line(part)[0]))}.",
        Shown("profiles"),
        f"Constant over the {called}, so nothing to separate: {constant}." if constant else "",
    )


def constant_places(part: Part) -> str:
    """Returns the places that are constant, with the comparisons if these are not all."""
    said = []
    for place in part.places:
        names = [name for name, one in part.separation.items() if one[place].constant]
        if names:
            some = len(names) < len(part.separation)
            said.append(safe(place) + (f" (for {name_list(names)})" if some else ""))
    return "; ".join(said)


def best_line(part: Part) -> tuple[tuple, list]:
    """Returns the site and position whose best layer has the highest mean AUROC of a probe."""

    def mean_auroc(place) -> float:
        values = np.array([probe_auroc_of(s[place]) for s in part.separation.values()])
        known = values[~np.isnan(values)]  # a place may be constant in one comparison alone
        return known.mean() if known.size else 0.0

    return max(lines_of(part.places).items(), key=lambda line: max(map(mean_auroc, line[1])))


def apart_section(part: Part) -> Section | None:
    """Returns how well the personas of each topic are told from one another, at the best place."""
    if not part.persona_separation:
        return None
    rows = []
    for topic, separations in part.persona_separation.items():
        best = best_place(separations, lambda one: one.accuracy)
        values = (
            getattr(separations[best], name) for name in ("accuracy", "precision", "f1", "chance")
        )
        rows.append([safe(topic), len(separations), best, *(f"{value:.2f}" for value in values)])
    return Section(
        "Telling the personas of a topic from one another",
        "Positive statements alone: extremely randomised trees are trained on nine tenths of them "
        "and name the persona of the others. The best place of each topic, chosen on what it is "
        "judged by; wording tells personas apart as well. Accuracy: the share named rightly; "
        "precision, of those named as a persona, and F1, which weighs it with the share of the "
        "persona's own that are found, are means over personas (weighted by their statements). "
        "Always the largest: the accuracy of naming the persona with most statements each time. "
        "`personas.csv` has every place.",
        Table(
            ["topic", "places", "best place", "accuracy", "precision", "F1", "always the largest"],
            rows,
        ),
    )


def differences_section(study: Study) -> Section | None:
    """Returns every later network beside the first, by rows scanned alone."""
    rows = [
        [
            as_code(part.model), safe(name), detector, f"{safe(d.places[1])}: {d.aurocs[1]:.2f}",
            f"{safe(d.places[0])}: {d.aurocs[0]:.2f}",
            interval(-d.claim.difference, -d.claim.high, -d.claim.low),
        ]
        for _, part, name, detector, d in study.differences()
    ]  # fmt: skip
    if not rows:
        return None
    first, called = as_code(study.parts[0].model), rows_word(study.parts[0])
    return Section(
        f"Beside {first}",
        f"{capitalise(called)} scanned alone, the same ones in each network: its best place is "
        "chosen on one half of them and judged on the other (two lines: both ways round). AUROC "
        f"there, that of {first}, and the difference with its 95% interval over {called}. "
        "`differences.csv` has these numbers.",
        Table(["", "", "tail", "AUROC", first, "difference"], rows),
    )

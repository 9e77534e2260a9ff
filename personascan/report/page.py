"""report.md: shows and explains the tables and pictures of a study in sentences with numbers."""

import numpy as np
from scipy.stats import false_discovery_control

from personascan.report.figures import apart
from personascan.report.tables import center, mean_deviation
from personascan.visible import visible


def report_page(study, figures: dict[str, list[str]]) -> str:
    """The page as Markdown."""
    sections = [
        heading(study),
        layers_section(study, figures),
        *([scores_section(study, figures)] if study.calibrations else []),
        runs_section(study, figures),
        nodes_section(study, figures),
        limits_section(study),
    ]
    return "\n\n".join(sections) + "\n"


def safe(name: str) -> str:
    """A name from a file of statements, so that it cannot break the page."""
    return "".join(c if c.isalnum() or c in " -_.&" else "?" for c in name)


def listed(names) -> str:
    names = [safe(n) for n in names]
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def table(header, rows) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def pictures(names, text: str) -> str:
    return "\n\n".join(f"![{text}](figures/{name})" for name in names)


def heading(study) -> str:
    config = study.config
    against = {
        2: "its positive statements (H1) against its negative ones (H0)",
        1: "its positive statements (H1) against those of its topic's other personas (H0)",
        0: "its personas' positive statements (H1) against those of the other topics (H0)",
    }[config.level]
    sizes = sorted({f"{a} + {b}" for a, b in study.pool_sizes.values()})
    what = "topic" if config.level == 0 else "persona"
    return (
        f"# {listed(study.scans)} in {quoted(config.model)}\n\n"
        f"Level {config.level}: each {what} is studied by {against}, {', '.join(sizes)} "
        f"statements of label confidence {config.min_confidence:g} or more. "
        f"{prompt_sentence(study)} {kept_sentence(study)} `study.json` holds the configuration, "
        "versions, seed and hashes of the inputs."
    )


def prompt_sentence(study) -> str:
    """What each statement was put into, as it was done."""
    config, role = study.config, study.provenance["role"]
    around = [
        f"{what} {quoted(text)}"
        for what, text in (("behind", config.prefix), ("in front of", config.suffix))
        if text
    ]
    stands = f", {' and '.join(around)}" if around else ""
    if role == "none":
        why = "" if config.role == "none" else ", since the tokenizer has no chat template"
        return f"Each statement was put through the model as bare text{stands}{why}."
    template = [f"the template {quoted(config.template)}"] if config.template else []
    template += [quoted(keyword) for keyword in config.template_keywords]
    through = f" (with {', '.join(template)})" if template else ""
    return (
        f"Each statement was put through the model as a single {safe(role)} message{through}"
        f"{stands}."
    )


def kept_sentence(study) -> str:
    """Which vector was kept, and in what precision."""
    position = study.config.position
    kept = {
        "last": "the prompt's last token",
        "last_statement": "the statement's own last token",
        "mean_statement": "the statement's own tokens, as their mean,",
        "mean": "all tokens of the prompt, as their mean,",
    }.get(position, f"the token at position {position} of the prompt")
    kind = "" if study.config.dtype == "float32" else f" (weights in {study.config.dtype})"
    return f"The activations of {kept} were kept at all {len(study.layer_names)} layers{kind}."


def quoted(text: str) -> str:
    return "`" + visible(text).replace("`", "?") + "`"


def layers_section(study, figures) -> str:
    best = study.layer_names.index(study.best_layer)
    constant = {
        layer
        for found in study.separation.values()
        for layer, s in zip(study.layer_names, found, strict=True)
        if s.constant
    }
    mean_L = np.mean(
        [[s.mean["probe_auroc"] for s in found] for found in study.separation.values()], axis=0
    )
    lowest = int(np.nanargmin(mean_L))
    rows = []
    for name, found in study.separation.items():
        at_best, (accuracy, spread) = found[best], study.wording[name]
        rows.append(
            [safe(name), f"{accuracy:.2f} ± {spread:.2f}"]
            + [
                f"{at_best.mean[m]:.3g} ± {at_best.deviation[m]:.2g}"
                for m in (
                    "probe_auroc",
                    "silhouette",
                    "calinski_harabasz",
                    "davies_bouldin",
                    "hull_distance",
                )
            ]
        )
    words = [accuracy for accuracy, _ in study.wording.values()]
    larger = [max(pair) / sum(pair) for pair in study.pool_sizes.values()]
    plan = study.config.separation
    text = (
        f"## Which layers separate {apart(study.config.level)}\n\n"
        f"Averaged over {listed(study.separation)}, the probe tells H1 from H0 best at "
        f"**{study.best_layer}** (held-out AUROC {mean_L[best]:.3f}) and worst at "
        f"{study.layer_names[lowest]} ({mean_L[lowest]:.3f}; 0.5 is chance). A bag of words knows "
        "wording alone: logistic regression on word counts reaches a held-out accuracy of "
        f"{min(words):.2f} to {max(words):.2f} (guessing always the larger class: up to "
        f"{max(larger):.2f}). The cluster metrics describe the first "
        f"{plan.components} principal components of both directions together, the hull distance "
        f"the first {plan.hull_components}, in units of activation; mean ± deviation over "
        f"{plan.seeds} seeds. `layers.csv` has every layer; this is {study.best_layer}:\n\n"
    )
    header = ["", "wording, accuracy", "probe, AUROC", "silhouette", "Calinski-Harabasz",
              "Davies-Bouldin", "hull distance"]  # fmt: skip
    text += table(header, rows)
    if constant:
        text += (
            f"\n\nConstant over the statements, so nothing to separate: {listed(sorted(constant))}."
        )
    early, middle, _ = (p.layer for p in next(iter(study.projections.values())))
    return (
        f"{text}\n\n{pictures(figures['separation'], 'separation metrics by layer')}\n\n"
        f"The statements themselves, in two components at an early ({early}), a middle ({middle}) "
        f"and the best layer. Clouds that overlap here may still be apart in other components: the "
        f"probe sees all nodes.\n\n{pictures(figures['pca'], 'statements in principal components')}"
    )


def scores_section(study, figures) -> str:
    scan = study.config.scan
    smallest = {name: found.p_family.min() for name, found in study.calibrations.items()}
    q = dict(zip(smallest, false_discovery_control(list(smallest.values())), strict=True))
    rows = []
    for name, found in study.calibrations.items():
        best = int(np.lexsort((-found.score, found.p_family))[0])
        passing = int((found.p_family <= 0.05).sum())
        rows.append(
            [
                safe(name),
                study.layer_names[best],
                f"{found.score[best]:.1f}",
                f"{found.null[best].mean():.1f}",
                f"{np.quantile(found.null.max(0), 0.95):.1f}",
                f"{found.p[best]:.3f}",
                f"{smallest[name]:.3f}",
                f"{q[name]:.3f}",
                passing,
            ]
        )
    layers = len(study.layer_names)
    clear = [name for name in smallest if smallest[name] <= 0.05]
    verdict = (
        f"At some layer the scan tells {listed(clear)} from permuted labels."
        if clear
        else "At no layer does the scan tell a comparison from permuted labels."
    )
    header = [
        "", "layer of the smallest p", "score", "mean under permutation",
        "95% of the highest layers", "p of this layer", "family-wise p", "q over comparisons",
        f"layers of {layers} with family-wise p <= 0.05",
    ]  # fmt: skip
    return (
        "## Where the scan finds more than chance\n\n"
        f"Every layer was scanned once ({scan.starts} starts) with the labels as they are and "
        f"{scan.permutations} times with the labels permuted, through the same function. A layer's "
        "family-wise p compares its score with the highest layer of every permutation, so that the "
        f"search over {layers} layers is paid for; q controls the false discovery rate over "
        f"comparisons (Benjamini-Hochberg). No p can be below {1 / (scan.permutations + 1):.3f}. "
        f"{verdict} `layers.csv` has every layer.\n\n{table(header, rows)}\n\n"
        f"{pictures(figures['score_profile'], 'score by layer against permutations')}"
    )


def runs_section(study, figures) -> str:
    config = study.config
    plan, scan = config.runs, config.scan
    chance = plan.positive / (plan.positive + plan.clean)
    rows = []
    for name, scans in study.scans.items():
        for found in scans:
            rows.append(
                [
                    found.layer,
                    safe(name),
                    f"{study.wording[name][0]:.2f}",
                    mean_deviation(found.runs.score, 1),
                    f"{np.nanmedian(found.runs.alpha):.3f}" if found.runs.score.any() else "-",
                    mean_deviation(found.precision_R),
                    mean_deviation(found.recall_R),
                    mean_deviation(found.runs.rows[0].sum(1), 1),
                    mean_deviation(found.runs.nodes[0].sum(1), 1),
                ]
            )
    extremes = []
    for layer_index, layer in enumerate(study.scanned_layers()):
        precision = {n: center(s[layer_index].precision_R)[0] for n, s in study.scans.items()}
        precision = {n: value for n, value in precision.items() if not np.isnan(value)}
        if not precision:
            extremes.append(f"At {layer} no run returned anything.")
            continue
        high, low = max(precision, key=precision.get), min(precision, key=precision.get)
        extremes.append(
            f"At {layer} mean precision runs from {precision[low]:.2f} ({safe(low)}) to "
            f"{precision[high]:.2f} ({safe(high)})."
        )
    header = [
        "layer",
        "",
        "wording",
        "score",
        "median alpha",
        "precision",
        "recall",
        "statements",
        "nodes",
    ]
    background = "freshly drawn background" if plan.redraw else "background shared by all runs"
    return (
        "## Which statements diverge\n\n"
        f"Each of {plan.runs} runs takes a {background} of {plan.background} H0 statements and "
        f"scans {plan.clean} other H0 statements with {plan.positive} H1 statements for the subset "
        f"of statements and nodes with the highest {scan.score} score ({scan.tail} tail, alphas "
        f"{alphas_searched(scan)}, {scan.starts} starts). Returning every "
        f"statement would give precision {chance:.2f} and recall 1. {' '.join(extremes)} "
        "Mean ± deviation over runs; `runs.csv` has every run, with the ids of its statements.\n\n"
        f"{table(header, rows)}\n\n"
        f"{pictures(figures['precision_recall'], 'precision and recall')}"
    )


def alphas_searched(scan) -> str:
    """The alphas of a scan, in words."""
    if scan.alphas not in ("exact", "grid"):
        return safe_list(scan.alphas)
    kind = "every one attained" if scan.alphas == "exact" else "50 equal steps"
    least = f" from {scan.alpha_min:g}" if scan.alpha_min else ""
    return f"{kind}{least} up to {scan.alpha_max:g}"


def safe_list(text: str) -> str:
    return ", ".join(safe(part) for part in text.split(","))


def nodes_section(study, figures) -> str:
    nodes = len(next(iter(study.scans.values()))[0].frequency_D)
    threshold = study.config.threshold
    sizes, rows = [], []
    for i, layer in enumerate(study.scanned_layers()):
        counts = [f"{safe(n)} {s[i].node_set_D.sum()}" for n, s in study.scans.items()]
        sizes.append(f"at {layer}: {', '.join(counts)}")
        rows += [
            [
                layer,
                listed(o.names),
                o.observed,
                f"{o.expected:.1f}",
                ratio(o),
                *null_of(o),
                o.exclusive,
            ]
            for o in study.overlaps[layer]
        ]
    header = [
        "layer",
        "node sets of",
        "shared nodes",
        "expected by chance",
        "ratio",
        "under permutation",
        "permutation p",
        "hypergeometric p (exchangeable nodes)",
        "in no other set",
    ]
    text = (
        "## Which nodes\n\n"
        "The selection frequency of a node is the share of runs that returned it; the node set of "
        f"a comparison holds the nodes with frequency >= {threshold:g}. Of {nodes} nodes the sets "
        f"hold {'; '.join(sizes)}. {false_selections(study)}`nodes.csv` has every node.\n\n"
        f"{pictures(figures['selection_frequency'], 'selection frequency')}\n\n"
    )
    if rows:
        text += (
            "Sets share nodes by chance as well: independent sets of these sizes would share the "
            "number expected. A ratio near 1 is no sign of a common code.\n\n"
            f"{table(header, rows)}\n\n"
        )
    return text + pictures(figures["upset"], "exclusive intersections of node sets")


def false_selections(study) -> str:
    """What the permutations say of the node sets, or nothing."""
    if not study.calibrations:
        return ""
    parts = []
    for i, layer in enumerate(study.scanned_layers()):
        counts = [
            f"{safe(n)} {s[i].calibration.expected_false(study.config.threshold):.1f}"
            for n, s in study.scans.items()
        ]
        parts.append(f"at {layer}: {', '.join(counts)}")
    return (
        "These frequencies are of runs with one start. With permuted labels so many nodes reach "
        f"the threshold on average: {'; '.join(parts)}. Where that comes close to a set's size, "
        "the set is what the shared statements give by themselves; q in `nodes.csv` is the share "
        "of false selections expected among the nodes at least as frequent. "
    )


def null_of(overlap) -> list[str]:
    values = (overlap.null_mean, overlap.p, overlap.p_hypergeometric)
    return ["-" if np.isnan(value) else f"{value:.3g}" for value in values]


def ratio(overlap) -> str:
    return f"{overlap.observed / overlap.expected:.2f}" if overlap.expected else "-"


def limits_section(study) -> str:
    notes = []
    if "best" in study.config.scan.layers:
        notes.append(
            f"{study.best_layer} was chosen by the probe on the same statements that were then "
            "scanned, so its precision and recall are somewhat optimistic."
        )
    if not study.calibrations:
        notes.append(
            "Scores carry no p-value here: noise alone gives high scores and node sets that recur "
            "between runs, because all runs draw from the same statements. Compare precision with "
            "chance, and overlaps with the number expected, or set scan.permutations."
        )
    notes.append(
        "The number expected for overlaps takes nodes as exchangeable and sets as independent; "
        "nodes of one layer are correlated, so real chance overlaps scatter more widely."
    )
    return "## What these numbers do not say\n\n" + "\n".join(f"- {note}" for note in notes)

"""The pictures of a study's page: those of one place, and those across places and comparisons."""

from personascan.report.charts import across, evidence, places, sets
from personascan.report.pictures import MEASURED, Choice, Feed, Picture

NARROW = 250  # of a chart on a phone, without its axes
CELL = Feed("cells", only="cell")
PLACE = (
    Picture(
        "null", "The place beside permuted labels", places.null,
        {"null": Feed("null"), "cell": CELL},
        "Grey: permuted labels; orange: the true ones, {distance:.1f} deviations above their mean "
        "(z {z:.1f}, family-wise p {p_family:p}, p of the place by itself {p:p}; by the largest "
        "|t| of a node z {z_nodes:.1f}, family-wise p {p_family_nodes:p}). 95% of the "
        "permutations' highest places stay below the dashed line ({limit:.1f}).",
        "cell", narrow=lambda: places.null(NARROW),
    ),
    Picture(
        "roc", "Rows scanned alone", places.roc,
        {"roc": Feed("roc"), "cell": CELL, "corners": Feed("corners", every=True)},
        "Scores of rows scanned one by one tell H1 from held-out H0 with AUROC {auroc:.2f} (95% "
        "interval {auroc_low:.2f} to {auroc_high:.2f}; 0.5 is chance); a threshold that at most 1% "
        "of the held-out H0 reach finds {tpr:.0%} of H1.",
        "cell", narrow=lambda: places.roc(NARROW),
    ),
    Picture(
        "cloud", "Rows in two principal components", places.cloud,
        {"points": Feed("points"), "cloud": Feed("clouds", only="cloud")},
        "Component 1 holds {share_1:.0%} of the variance, component 2 {share_2:.0%}. Clouds that "
        "overlap here may still be apart in other components.",
        "cloud", columns=("text", "side", "x", "y"), hint="Point at a row to read it.",
        narrow=lambda: places.cloud(NARROW),
    ),
    Picture(
        "statements", "All rows by their scores", evidence.statements,
        {"statements": Feed("statements"), "evidence": Feed("evidence", only="evidence")},
        "Each dot is a row, scored by a direction that was fitted without it: {above:.0%} of "
        "H1 and {below:.0%} of H0 lie above 0, as H1 should and H0 should not.",
        "evidence", columns=("text", "id", "positive", "score"),
        hint="Point at a dot to read it; drag across a stretch to list what lies in it below.",
        narrow=lambda: evidence.statements(NARROW),
    ),
    Picture(
        "volcano", "How far each node differs, and how surely", evidence.volcano,
        {"nodes": Feed("nodes", where={"tested": 1}), "scan": Feed("scans", only="scan")},
        "Coloured are the nodes of the set: {set_high:d} higher and {set_low:d} lower in H1. "
        "Each by itself, {set_p:d} have a family-wise p of 0.05 or less. Together they say more: "
        "of all nodes here at least {at_least:d} differ (95% confidence), without saying which. "
        "Tested on: {rows}.",
        "scan", hint="A click on a node shows its values.",
        narrow=lambda: evidence.volcano(NARROW),
    ),
    Picture(
        "histogram", "One node", evidence.histogram,
        {"values": Feed("values"), "node": Feed("probes", only="probe")},
        "Node {node:d} in every row, in deviations of H0 from its mean.", "node",
        columns=("text", "id", "positive", "value"), narrow=lambda: evidence.histogram(NARROW),
    ),
)  # fmt: skip
SHARED = Choice("shared", "Place", sheet="shared", words="{place}")
ACTS = Choice("act", "Action", sheet="acts", words="{act}")
FIRST = Choice("first", "First", sheet="plain", words="{comparison}")
SECOND = Choice("second", "Second", sheet="plain", words="{comparison}", start=1)
ACROSS = (
    Picture(
        "special", "Found nodes beside other scores", evidence.special,
        {"special": Feed("special")}, narrow=lambda: evidence.special(1, 170),
    ),
    Picture(
        "two", "Effects of the same nodes in two comparisons", evidence.two_personas,
        {
            "first": Feed("nodes", group="first"), "second": Feed("nodes", group="second"),
            "pair": Feed("pairs", match={"first": "first", "second": "second"}),
        },
        "Every node of the place. Their effects in the first and in the second correlate with "
        "{correlation:+.2f}. Both node sets hold {both:d} nodes, {same:d} of them in the same "
        "direction; independent sets of these sizes would share {expected:.1f}.",
        "pair",
        choices=(SHARED, FIRST, SECOND), columns=("node", "effect", "q", "in_set"),
        narrow=lambda: evidence.two_personas(260),
    ),
    Picture(
        "profiles", "Layer profiles", across.profiles,
        {"profiles": Feed("cells", every=True, match={"level": "level"})},
        columns=("model", *MEASURED, "depth"),
        choices=(Choice("measure", "Measure", tuple(across.MEASURES.items())),),
        narrow=lambda: across.profiles(1),
    ),
    Picture("ways", "Every way of scanning rows alone", across.ways, {"ways": Feed("ways")},
            narrow=lambda: across.ways(1)),
    Picture(
        "expected", "Shared nodes beside chance", sets.shared_nodes,
        {"overlaps": Feed("overlaps")},
        choices=(SHARED,), narrow=lambda: sets.shared_nodes(160, 130),
    ),
    Picture(
        "upset", "Nodes in exactly these sets", sets.upset,
        {"exclusive": Feed("exclusive"), "members": Feed("members")},
        choices=(SHARED,), narrow=lambda: sets.upset(9),
    ),
    Picture(
        "venn", "The same as a Venn diagram", sets.venn,
        {"venn_outlines": Feed("venn_outlines"), "venn_counts": Feed("venn_counts")},
        choices=(SHARED,), narrow=lambda: sets.venn(300),
    ),
    Picture(
        "validation", "Found nodes beside other methods", across.validation,
        {"validation": Feed("validation")}, narrow=lambda: across.validation(1),
    ),
    Picture(
        "effects", "What edits of found nodes change", sets.effects,
        {"sets": Feed("effects", every=True, where={"outcome": "answer"},
                      match={"part": "part", "act": "act"})},
        choices=(ACTS,), narrow=lambda: sets.effects(190, 120),
        columns=("comparison", "half", "place", "nodes", "method", "act", "effect", "low", "high",
                 "p", "family_p"),
    ),
    Picture(
        "doses", "Dose and response", sets.doses,
        {"doses": Feed("doses")}, narrow=lambda: sets.doses(NARROW),
        choices=(Choice("edit", "Node set", sheet="edits",
                        words="{comparison}, half {half}: {nodes} nodes at {place}"),),
    ),
    Picture(
        "specificity", "Whose nodes move whose answers", sets.specificity,
        {"specificity_of_action": Feed("specificity", match={"act": "act"})},
        choices=(ACTS,), narrow=lambda: sets.specificity(narrow=True),
    ),
)  # fmt: skip

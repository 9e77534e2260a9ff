"""A study of any size whose numbers are drawn at random: what a page is tried and measured with."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from personascan.analysis.detection import Detection, Labels
from personascan.analysis.localisation import Choice, PlaceScan
from personascan.analysis.overlaps import overlaps
from personascan.analysis.profiles import Profile
from personascan.analysis.separation import METRICS, Separation
from personascan.calibration.label_exchange import exchange_of
from personascan.calibration.locate import ALWAYS, PlaceTests
from personascan.calibration.node_tests import Nodes
from personascan.interventions.design import FOUND, STEER, ablation
from personascan.interventions.edits import UNEDITED, NamedEdit
from personascan.interventions.options import RANDOM
from personascan.places import Place, lines_of
from personascan.scan.result import RunScans
from personascan.sources.base import Terms
from personascan.study.config import StudyConfig
from personascan.study.effects import cross_effects, set_effects
from personascan.study.node_sets import EditOutcomes
from personascan.study.results import Part, Study
from personascan.study.stages.detection import Detector
from personascan.study.stages.evidence import KEPT, Evidence
from personascan.study.stages.projection import Projection
from personascan.study.stages.validation import HalfValidation

METHODS = (FOUND, "random nodes", "top mean difference", "mean-difference direction", "all nodes",
           "shuffled labels", "bag of words")  # fmt: skip


@dataclass(frozen=True)
class Size:
    """How large a made study is."""

    names: tuple[str, ...]  # of the comparisons
    layers: int = 32
    sites: tuple[str, ...] = ("resid_post", "attn_out", "mlp_out", "mlp_hidden")
    positions: tuple[str, ...] = ("last", "last_statement", "mean_statement")
    rows: int = 600  # of a comparison, half of them H1
    nodes: int = 576
    permutations: int = 199
    runs: int = 50
    edited: int = 2  # comparisons whose sets are edited
    models: tuple[str, ...] = ("made",)


def made_study(size: Size, texts: tuple[str, ...] = (), seed: int = 0) -> Study:
    """A study of one part for each model. `texts` come again and again as statements."""
    config = StudyConfig.from_dict(
        {
            "models": size.models, "statements": "made", "personas": size.names, "out": "made",
            "sites": size.sites, "positions": size.positions, "seed": seed,
            "runs": {"runs": size.runs, "background": 8, "clean": 4, "positive": 4},
            "where": {"permutations": size.permutations},
            "scan": {"places": ("chosen", "resid_post 1 last")},
            "intervention": {"places": ("chosen",), "controls": 19, "strengths": (-4.0, 4.0)},
        }
    )  # fmt: skip
    parts = [
        Maker(size, config, texts, np.random.default_rng([seed, i])).part(model)
        for i, model in enumerate(size.models)
    ]
    return Study(config, parts, {})


class Maker:
    """Draws the results of a part."""

    def __init__(self, size: Size, config: StudyConfig, texts, rng):
        self.size, self.config, self.rng, self.texts = size, config, rng, texts
        self.places = [
            Place(site, layer, position)
            for position in size.positions for site in size.sites for layer in range(size.layers)
        ]  # fmt: skip
        self.positive_N = np.arange(size.rows) % 2 == 0
        self.named = Place("resid_post", 1, "last")

    def part(self, model: str) -> Part:
        size, names, places = self.size, self.size.names, self.places
        calibrations = {name: self.calibration(i) for i, name in enumerate(names)}
        scans = {name: self.scans(calibrations[name], i) for i, name in enumerate(names)}
        lines = lines_of(places)
        half_N = np.arange(self.size.rows) // 2 % 2
        detector = Detector(self.config.scan.tail)
        source = SimpleNamespace(
            name=model, terms=Terms("statements", "positive", "negative"), about="",
            layers=self.size.layers, role="user", texts=True, head_width=1, groups={},
        )  # fmt: skip
        sets = {name: next(s for s in found if s.plain) for name, found in scans.items()}
        chance = {name: self.rng.random((size.permutations, size.nodes)) for name in sets}
        return Part(
            config=self.config, model=model, level=2, source=source, places=places,
            pool_ids={name: tuple(map(str, range(self.size.rows))) for name in names},
            detection_rows={name: (Labels(self.positive_N), half_N) for name in names},
            pool_sizes=dict.fromkeys(names, (self.size.rows // 2,) * 2),
            positive=dict.fromkeys(names, self.positive_N),
            row_texts={name: self.statements(name) for name in names},
            results=dict(
                wording={name: (float(self.rng.uniform(0.5, 1)), 0.01) for name in names},
                separation={name: {p: self.separation() for p in places} for name in names},
                all_detections={
                    name: {detector: {p: self.detection() for p in places}} for name in names
                },
                baselines={name: {} for name in names}, transfers={}, tails={},
                projections={name: self.clouds(calibrations[name]) for name in names},
                calibrations=calibrations, scans=scans,
                validations={name: self.validated(scans[name]) for name in names},
                overlaps={
                    self.named: overlaps({n: s.nodes_D for n, s in sets.items()}, chance)
                },
                profiles={
                    name: dict.fromkeys(lines, Profile(0.4, 0.3, 0.5, 0.33)) for name in names
                },
                persona_separation={},
                furthest={n: c.keys[c.best] for n, c in calibrations.items()},
                interventions=set_effects(self.tested(), self.config.intervention, 0),
                specificity=self.crossed(),
                evidence={name: self.evidence(calibrations[name]) for name in names},
                held_out={}, place_aurocs={}, kinds={}, tokens={}, promoted={}, written=[],
                recipes={}, controls={}, judged={}, sweeps={},
            ),
        )  # fmt: skip

    def statements(self, name: str) -> tuple[str, ...]:
        texts = self.texts or tuple(
            f"Statement {i} of those that were made for {name}, as long as such sentences are."
            for i in range(self.size.rows)
        )
        return tuple(texts[i % len(texts)] for i in range(self.size.rows))

    def calibration(self, number: int):
        """Every other comparison stands out in the middle of the first line."""
        size, places = self.size, len(self.places)
        shape = places, size.permutations + 1
        values = {name: self.rng.normal(0.5, 0.02, shape) for name in ALWAYS}
        if number % 2 == 0:
            middle = np.arange(places) - size.layers // 2
            values["direction"][:, 0] += 0.2 * np.exp(-((middle / 4) ** 2))
        return PlaceTests(tuple(self.places), "direction", values, exchange_of(self.positive_N))

    def scans(self, calibration, number: int) -> list[PlaceScan]:
        best = calibration.keys[calibration.best]
        halves = [
            self.scan(best, Choice(half, float(calibration.z[calibration.best]), 0.02, 0.02))
            for half in "AB"
        ]
        return [*halves, self.scan(self.named, None)]

    def scan(self, place: Place, choice: Choice | None) -> PlaceScan:
        size, rng = self.size, self.rng
        frequency_1C, none_C = rng.beta(1, 2, (1, 2 * size.nodes)), np.full(2 * size.nodes, np.nan)
        rows_RN = rng.random((size.runs, size.rows)) < np.where(self.positive_N, 0.3, 0.1)
        shape = 1, size.runs, size.nodes
        runs = RunScans(
            rng.normal(500, 50, shape[:2]), rng.uniform(0.1, 0.5, shape[:2]), rows_RN[None],
            rng.random(shape) < 0.1, np.zeros(shape, bool), np.zeros((*shape[:2], 2)),
            np.zeros((*shape[:2], 2)), np.zeros(shape[:2], bool),
        )  # fmt: skip
        found = PlaceScan(
            place, np.arange(size.rows), runs, rng.uniform(0.5, 1, size.runs),
            rng.uniform(0.3, 1, size.runs), 0.8, frequency_1C, none_C, none_C,
            frequency_1C > 0.8, 2, self.config.runs, choice,
            scanned_N=np.full(size.rows, size.runs),
        )  # fmt: skip
        return found.with_tests(self.nodes(), self.config.node_q)

    def nodes(self) -> Nodes:
        """One node of twenty differs."""
        nodes, rng = self.size.nodes, self.rng
        p_D = np.where(np.arange(nodes) % 20 == 0, rng.uniform(0, 1e-5, nodes), rng.random(nodes))
        template_D = 0.01 * np.arange(1, nodes + 1) / nodes
        q_D = np.minimum(1, 20 * p_D)
        return Nodes(rng.normal(0, 0.3, nodes), p_D, q_D, q_D, p_D, p_D, template_D)

    def evidence(self, calibration) -> Evidence:
        value_NK = self.rng.normal(size=(self.size.rows, KEPT)) + self.positive_N[:, None]
        score_N = self.rng.normal(size=self.size.rows) + 2.0 * self.positive_N - 1
        place = calibration.keys[calibration.best]
        kept_K = np.arange(self.size.nodes)[:KEPT]
        return Evidence(place, self.nodes(), kept_K, value_NK[:, : kept_K.size], score_N)

    def separation(self) -> Separation:
        values = self.rng.uniform(0.5, 1, len(METRICS))
        return Separation(
            dict(zip(METRICS, values, strict=True)), dict.fromkeys(METRICS, 0.1), False
        )

    def detection(self) -> Detection:
        score_N = self.rng.normal(size=self.size.rows) + 0.5 * self.positive_N
        return Detection(0.64, 0.02, 0.58, 0.7, 0.1, 0.02, 150, 150, score_N)

    def clouds(self, calibration) -> list[Projection]:
        points_N2 = self.rng.normal(size=(self.size.rows, 2)) + self.positive_N[:, None]
        share_2 = np.array([0.2, 0.1])
        places = dict.fromkeys([calibration.keys[calibration.best], self.named])
        return [Projection(place, points_N2, self.positive_N, share_2) for place in places]

    def validated(self, scans: list[PlaceScan]) -> list[HalfValidation]:
        found = []
        for scan in scans[:2]:
            methods = {m: {"auroc": float(self.rng.uniform(0.5, 1))} for m in METHODS}
            methods[FOUND]["nodes"] = int(scan.set_TC[0].sum())
            claim = {"difference": 0.05, "low": -0.02, "high": 0.1}
            methods |= {f"{FOUND} - all nodes": claim, f"{FOUND} - random nodes": claim}
            found.append(HalfValidation(scan.place, scan.choice.half, methods))
        return found

    def tested(self) -> list[EditOutcomes]:
        return [
            self.tested_set(name, half)
            for name in self.size.names[: self.size.edited]
            for half in "AB"
        ]

    def tested_set(self, name: str, half: str, owners=()) -> EditOutcomes:
        kinds = [(ablation("mean"), np.nan), (STEER, -4.0), (STEER, 4.0)]
        edits = [UNEDITED, *(NamedEdit(FOUND, *kind) for kind in kinds)]
        edits += [NamedEdit(RANDOM, *kind, number=k) for kind in kinds for k in range(19)]
        if owners:
            edits = [UNEDITED, *(NamedEdit(owner, *kind) for owner in owners for kind in kinds)]
            owners = ("", *(edit.method for edit in edits[1:]))
        positive_N = np.arange(16) < 8
        strength_W = np.nan_to_num([edit.strength for edit in edits]) / 8
        margin_WN = self.rng.normal(size=(len(edits), 16)) + np.outer(strength_W, positive_N)
        side_W = np.full(len(edits), 0.1)
        return EditOutcomes(
            name, self.named, half, 30, edits, positive_N, None, margin_WN,
            np.full(margin_WN.shape, np.nan), side_W, 30 + side_W, owners,
        )  # fmt: skip

    def crossed(self) -> list:
        names, options = self.size.names[: self.size.edited], self.config.intervention
        if len(names) < 2:
            return []
        return [
            c
            for name in names for half in "AB"
            for c in cross_effects(self.tested_set(name, half, names), options, 0)
        ]  # fmt: skip

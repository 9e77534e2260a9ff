"""What tested node sets change, beside their controls: the reduce over stored outcomes."""

from dataclasses import dataclass

import numpy as np

from personascan.analysis.effects import (
    Effects,
    bootstrap_effects,
    contrast_weights,
    control_p,
    even_weights,
    weighted_effect,
)
from personascan.calibration.family import family_p, studentise, tie_draws
from personascan.interventions.design import FOUND
from personascan.interventions.options import CONTROLS, RANDOM, InterventionOptions
from personascan.study.intervened import Tested

ANSWER, YES, MATCHING, LIKELIHOOD = "answer", "yes", "matching answers", "log-likelihood"
BAND = (0.05, 0.95)  # of the controls' effects


@dataclass(frozen=True)
class Effect:
    """What one method does by one action to one outcome."""

    method: str
    action: str
    strength: float  # NaN where there is none
    outcome: str
    unedited: float
    effect: float
    low: float  # of a method: an interval over statements; of controls: of 90% of them
    high: float
    p: dict[str, float]  # against each kind of control, where it has the action
    controls: int  # of each kind; of a control itself, how many
    divergence: float
    perplexity: float

    @property
    def key(self) -> tuple:
        """What controls must share with it."""
        return self.action, same(self.strength), self.outcome


@dataclass(frozen=True)
class TestedEffects:
    """All effects of one node set."""

    tested: Tested
    effects: list[Effect]
    # By (action, strength, outcome) of the found set, over the family of all sets of the study.
    p_family: dict[tuple, float]

    def of(self, method: str, action: str, outcome: str = ANSWER) -> list[Effect]:
        """By strength."""
        found = [e for e in self.effects
                 if (e.method, e.action, e.outcome) == (method, action, outcome)]  # fmt: skip
        return sorted(found, key=lambda e: np.nan_to_num(e.strength))

    @property
    def perplexity(self) -> float:
        """Of the unedited model."""
        return float(self.tested.perplexity_W[0]) if self.tested.edits else np.nan


def same(strength: float):
    """A strength that equals itself: None for NaN."""
    return None if np.isnan(strength) else float(strength)


def outcomes_of(tested: Tested) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """{outcome: (its values [W, N], what each statement counts)}.

    A push that says Yes to everything moves "yes" and leaves "answer", H1 less H0, where it is.
    """
    positive_N = tested.positive_N
    matches_WN = ((tested.margin_WN > 0) == positive_N).astype(float)
    found = {
        ANSWER: (tested.margin_WN, contrast_weights(positive_N)),
        YES: (tested.margin_WN, even_weights(positive_N)),
        MATCHING: (matches_WN, even_weights(positive_N)),
    }
    if np.isfinite(tested.likelihood_WN).all():
        found[LIKELIHOOD] = tested.likelihood_WN, contrast_weights(positive_N)
    return found


def edits_by_name(tested: Tested) -> dict[tuple, list[int]]:
    """{(method, action, strength, number): its edits}: several draws are one."""
    found = {}
    for w, edit in enumerate(tested.edits):
        if edit.action:
            key = edit.method, edit.action, same(edit.strength), edit.number
            found.setdefault(key, []).append(w)
    return found


def effects_of(tested: Tested, options: InterventionOptions, seed: int) -> list[Effect]:
    """Every method and every kind of control, by action, strength and outcome."""
    found = []
    if not tested.edits:
        return found
    groups = edits_by_name(tested)
    for outcome, (value_WN, weights_N) in outcomes_of(tested).items():
        change_GN = np.stack([(value_WN[ws] - value_WN[0]).mean(0) for ws in groups.values()])
        made = bootstrap_effects(
            change_GN, weights_N, tested.positive_N, resamples=options.bootstrap,
            confidence=options.level, rng=np.random.default_rng(seed), clusters_N=tested.clusters_N,
        )  # fmt: skip
        unedited = float(value_WN[0] @ weights_N)
        effects = dict(zip(groups, made.effect_W, strict=True))
        for g, key in enumerate(groups):
            method, action, strength, number = key
            if method in CONTROLS and number:
                continue
            controls = {
                kind: np.array([
                    e for (m, a, s, _), e in effects.items()
                    if (m, a, s) == (kind, action, strength)
                ])
                for kind in CONTROLS
            }  # fmt: skip
            edit = groups[key][0]
            found.append(
                one_effect(
                    key, outcome, unedited, made, g, controls,
                    (tested.divergence_W[edit], tested.perplexity_W[edit]),
                )
            )  # fmt: skip
    return found


def one_effect(key, outcome, unedited, made: Effects, g: int, controls, sides) -> Effect:
    """A method's effect, or the mean and band of a kind of control."""
    method, action, strength, _ = key
    controls = {kind: values_K for kind, values_K in controls.items() if values_K.size}
    effect, low, high, p = made.effect_W[g], made.low_W[g], made.high_W[g], {}
    count = max((v.size for v in controls.values()), default=0)
    if method in CONTROLS:
        effect, (low, high) = controls[method].mean(), np.quantile(controls[method], BAND)
        count = controls[method].size
    else:
        p = {kind: control_p(effect, values_K) for kind, values_K in controls.items()}
    return Effect(
        method, action, np.nan if strength is None else strength, outcome, unedited,
        *map(float, (effect, low, high)), p, count, *map(float, sides),
    )  # fmt: skip


def tested_effects(
    every: list[Tested], options: InterventionOptions, seed: int
) -> list[TestedEffects]:
    """The effects of all node sets of a study, with p-values over the family of the sets.

    For each action, strength and outcome the found sets' absolute effects are studentised among
    those of their random sets, and held against the largest of these (Westfall and Young 1993).
    """
    families: dict[tuple, dict[int, np.ndarray]] = {}
    for number, tested in enumerate(every):
        for key, sizes_K in found_beside_random(tested).items():
            families.setdefault(key, {})[number] = sizes_K
    p_family = [{} for _ in every]
    for key, members in families.items():
        names = [f"{every[n].name} {every[n].half} {every[n].place}" for n in members]
        draws = tie_draws(seed, names, len(next(iter(members.values()))))
        found = family_p(studentise(np.stack(list(members.values()))), draws)
        for number, p in zip(members, found, strict=True):
            p_family[number][key] = float(p)
    return [
        TestedEffects(tested, effects_of(tested, options, seed), p)
        for tested, p in zip(every, p_family, strict=True)
    ]


def found_beside_random(tested: Tested) -> dict[tuple, np.ndarray]:
    """{(action, strength, outcome): |effect| of the found set, then of each random set}."""
    found = {}
    if not tested.edits:
        return found
    groups = edits_by_name(tested)
    for outcome, (value_WN, weights_N) in outcomes_of(tested).items():
        change_GN = np.stack([value_WN[ws].mean(0) - value_WN[0] for ws in groups.values()])
        moved = dict(
            zip(groups, np.abs(weighted_effect(change_GN, weights_N)).tolist(), strict=True)
        )
        for (method, action, strength, _), size in moved.items():
            if method != FOUND:
                continue
            random = [s for (m, a, c, _), s in moved.items()
                      if (m, a, c) == (RANDOM, action, strength)]  # fmt: skip
            if random:
                found[action, strength, outcome] = np.array([size, *random])
    return found


@dataclass(frozen=True)
class Crossed:
    """What one comparison's set does to another's statements."""

    judged: str
    owner: str
    half: str  # that found the set
    action: str
    strength: float
    effect: float
    low: float
    high: float


def crossed_effects(tested: Tested, options: InterventionOptions, seed: int) -> list[Crossed]:
    """A row of the matrix: by the answers, one for every set and action."""
    if len(tested.edits) < 2:
        return []
    change_WN = tested.margin_WN[1:] - tested.margin_WN[0]
    made = bootstrap_effects(
        change_WN, contrast_weights(tested.positive_N), tested.positive_N,
        resamples=options.bootstrap, confidence=options.level, rng=np.random.default_rng(seed),
        clusters_N=tested.clusters_N,
    )  # fmt: skip
    return [
        Crossed(
            tested.name, owner, tested.half, edit.action, edit.strength,
            *map(float, (made.effect_W[w], made.low_W[w], made.high_W[w])),
        )
        for w, (edit, owner) in enumerate(zip(tested.edits[1:], tested.owners[1:], strict=True))
    ]  # fmt: skip

"""The effects of edits of node sets, beside those of their controls, from stored outcomes."""

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
from personascan.study.node_sets import EditOutcomes

ANSWER, YES, MATCHING, LIKELIHOOD = "answer", "yes", "matching answers", "log-likelihood"
BAND = (0.05, 0.95)  # of the controls' effects


@dataclass(frozen=True)
class Effect:
    """The effect of one method, by one action, on one outcome."""

    method: str
    action: str
    strength: float  # NaN where there is none
    outcome: str
    unedited: float
    effect: float
    low: float  # of a method: of an interval over statements; of controls: of 90% of them
    high: float
    p: dict[str, float]  # against each kind of control that has the action
    controls: int  # number of each kind; of a control itself, of its own kind
    divergence: float
    perplexity: float

    @property
    def key(self) -> tuple:
        """(action, strength, outcome), which controls must share with it."""
        return self.action, strength_key(self.strength), self.outcome


@dataclass(frozen=True)
class SetEffects:
    """All effects of one node set."""

    tested: EditOutcomes
    effects: list[Effect]
    # By (action, strength, outcome) of the found set, over the family of all sets of the study.
    p_family: dict[tuple, float]

    def of(self, method: str, action: str, outcome: str = ANSWER) -> list[Effect]:
        """Returns the effects of a method by an action on an outcome, in the order of strengths."""
        effects = [e for e in self.effects
                   if (e.method, e.action, e.outcome) == (method, action, outcome)]  # fmt: skip
        return sorted(effects, key=lambda e: np.nan_to_num(e.strength))

    @property
    def perplexity(self) -> float:
        """Perplexity of the unedited model."""
        return float(self.tested.perplexity_W[0]) if self.tested.edits else np.nan


def strength_key(strength: float):
    """Returns a strength that equals itself: None for NaN."""
    return None if np.isnan(strength) else float(strength)


def outcomes_of(tested: EditOutcomes) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns {outcome: (values [W, N], weights of the statements [N])}.

    A push that says Yes to everything moves "yes" and does not move "answer", H1 less H0.
    """
    positive_N = tested.positive_N
    matches_WN = ((tested.margin_WN > 0) == positive_N).astype(float)
    outcomes = {
        ANSWER: (tested.margin_WN, contrast_weights(positive_N)),
        YES: (tested.margin_WN, even_weights(positive_N)),
        MATCHING: (matches_WN, even_weights(positive_N)),
    }
    if np.isfinite(tested.likelihood_WN).all():
        outcomes[LIKELIHOOD] = tested.likelihood_WN, contrast_weights(positive_N)
    return outcomes


def edits_by_name(tested: EditOutcomes) -> dict[tuple, list[int]]:
    """Returns {(method, action, strength, number): its edits}: several draws are one."""
    edits = {}
    for w, edit in enumerate(tested.edits):
        if edit.action:
            key = edit.method, edit.action, strength_key(edit.strength), edit.number
            edits.setdefault(key, []).append(w)
    return edits


def effects_of(tested: EditOutcomes, options: InterventionOptions, seed: int) -> list[Effect]:
    """Returns the effect of every method and kind of control, by action, strength and outcome."""
    effects = []
    if not tested.edits:
        return effects
    groups = edits_by_name(tested)
    for outcome, (value_WN, weights_N) in outcomes_of(tested).items():
        change_GN = np.stack([(value_WN[ws] - value_WN[0]).mean(0) for ws in groups.values()])
        made = bootstrap_effects(
            change_GN, weights_N, tested.positive_N, resamples=options.bootstrap,
            confidence=options.level, rng=np.random.default_rng(seed), clusters_N=tested.clusters_N,
        )  # fmt: skip
        unedited = float(value_WN[0] @ weights_N)
        effect_of = dict(zip(groups, made.effect_W, strict=True))
        for g, key in enumerate(groups):
            method, action, strength, number = key
            if method in CONTROLS and number:
                continue
            controls = {
                kind: np.array([
                    e for (m, a, s, _), e in effect_of.items()
                    if (m, a, s) == (kind, action, strength)
                ])
                for kind in CONTROLS
            }  # fmt: skip
            edit = groups[key][0]
            effects.append(
                one_effect(
                    key, outcome, unedited, made, g, controls,
                    (tested.divergence_W[edit], tested.perplexity_W[edit]),
                )
            )  # fmt: skip
    return effects


def one_effect(key, outcome, unedited, made: Effects, g: int, controls, sides) -> Effect:
    """Returns a method's effect, or the mean and band of a kind of control."""
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


def set_effects(
    every: list[EditOutcomes], options: InterventionOptions, seed: int
) -> list[SetEffects]:
    """Returns the effects of all node sets of a study, with p-values over the family of the sets.

    For each action, strength and outcome the found sets' absolute effects are studentised among
    those of their random sets, and compared with the largest of these (Westfall and Young 1993).
    """
    families: dict[tuple, dict[int, np.ndarray]] = {}
    for number, tested in enumerate(every):
        for key, sizes_K in effect_sizes(tested).items():
            families.setdefault(key, {})[number] = sizes_K
    p_family = [{} for _ in every]
    for key, members in families.items():
        names = [f"{every[n].name} {every[n].half} {every[n].place}" for n in members]
        draws = tie_draws(seed, names, len(next(iter(members.values()))))
        p_sets = family_p(studentise(np.stack(list(members.values()))), draws)
        for number, p in zip(members, p_sets, strict=True):
            p_family[number][key] = float(p)
    return [
        SetEffects(tested, effects_of(tested, options, seed), p)
        for tested, p in zip(every, p_family, strict=True)
    ]


def effect_sizes(tested: EditOutcomes) -> dict[tuple, np.ndarray]:
    """Returns {(action, strength, outcome): |effect| of the found set, then of random sets}."""
    sizes = {}
    if not tested.edits:
        return sizes
    groups = edits_by_name(tested)
    for outcome, (value_WN, weights_N) in outcomes_of(tested).items():
        change_GN = np.stack([value_WN[ws].mean(0) - value_WN[0] for ws in groups.values()])
        size_of = dict(
            zip(groups, np.abs(weighted_effect(change_GN, weights_N)).tolist(), strict=True)
        )
        for (method, action, strength, _), size in size_of.items():
            if method != FOUND:
                continue
            random = [s for (m, a, c, _), s in size_of.items()
                      if (m, a, c) == (RANDOM, action, strength)]  # fmt: skip
            if random:
                sizes[action, strength, outcome] = np.array([size, *random])
    return sizes


@dataclass(frozen=True)
class CrossEffect:
    """The effect of one comparison's node set on the statements of another, or on its own."""

    judged: str  # the comparison whose statements are asked about
    owner: str  # the comparison whose node set is edited
    half: str  # that found the set
    action: str
    strength: float
    effect: float
    low: float
    high: float


def cross_effects(
    tested: EditOutcomes, options: InterventionOptions, seed: int
) -> list[CrossEffect]:
    """Returns the effects on the answers to a comparison's statements, one per set and action."""
    if len(tested.edits) < 2:
        return []
    change_WN = tested.margin_WN[1:] - tested.margin_WN[0]
    made = bootstrap_effects(
        change_WN, contrast_weights(tested.positive_N), tested.positive_N,
        resamples=options.bootstrap, confidence=options.level, rng=np.random.default_rng(seed),
        clusters_N=tested.clusters_N,
    )  # fmt: skip
    return [
        CrossEffect(
            tested.name, owner, tested.half, edit.action, edit.strength,
            *map(float, (made.effect_W[w], made.low_W[w], made.high_W[w])),
        )
        for w, (edit, owner) in enumerate(zip(tested.edits[1:], tested.owners[1:], strict=True))
    ]  # fmt: skip

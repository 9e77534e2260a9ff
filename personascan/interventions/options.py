"""The options of interventions on a node set."""

from dataclasses import dataclass

import numpy as np

from personascan.errors import InputError
from personascan.sources.language.editing import TOKENS

RANDOM, MATCHED, RANDOM_DIRECTION = "random nodes", "nodes of like variance", "random direction"
CONTROLS = (RANDOM, MATCHED, RANDOM_DIRECTION)
ABLATIONS = ("mean", "zero", "resample", "patch")


@dataclass(frozen=True)
class InterventionOptions:
    """Which node sets are tested, with which edits, against how many controls."""

    # "chosen": at the place that each half of the statements chose; or names of places.
    places: tuple[str, ...] = ()  # none: no interventions
    comparisons: int = 0  # of each level the first so many; 0: all
    nodes: int = 0  # at most so many of a set, those selected most often; 0: all of it
    statements: int = 20  # of each direction of the half that judges
    controls: int = 50  # of each kind
    against: tuple[str, ...] = CONTROLS  # kinds of controls that are drawn
    # What found nodes are set to: "mean" of the background, "zero", "resample" (another background
    # row each time), "patch" (a row of H1 each time). Controls have the first of these.
    ablations: tuple[str, ...] = ("mean", "zero", "resample", "patch")
    draws: int = 8  # rows of "resample" and "patch", whose effects are averaged
    strengths: tuple[float, ...] = (-4.0, -2.0, 2.0, 4.0)  # of steering, in background deviations
    # Quantiles of the background's projections on a direction, which activations are kept at or
    # below.
    caps: tuple[float, ...] = ()
    tokens: str = "all"  # that are edited: all, statement, last; "generated" changes no answer
    likelihood: bool = True  # of held-out statements, beside the answers
    directions: tuple[str, ...] = ()  # files of directions made elsewhere
    # Prompts behind which the model writes, as it is and pushed by the largest strength; (): none.
    written: tuple[str, ...] = ("Tell me about yourself.", "How will tomorrow go?")
    bootstrap: int = 1000  # resamples of the statements
    level: float = 0.95  # confidence of the intervals; configurations and units spell it so

    def tests(self, number: int) -> bool:
        """Returns whether the comparison of that number, in its level, is tested."""
        return bool(self.places) and (not self.comparisons or number < self.comparisons)


def check_interventions(options: InterventionOptions) -> None:
    """Raises InputError, with the option's dotted name, for a value that is not possible."""
    where = "config.intervention"
    if options.statements < 2 or options.controls < 1 or options.bootstrap < 1 or options.draws < 1:
        raise InputError(
            f"{where}: use statements of at least 2, and controls, draws and bootstrap of at "
            "least 1"
        )
    for name in ("nodes", "comparisons"):
        if getattr(options, name) < 0:
            raise InputError(f"{where}.{name} = {getattr(options, name)}; use 0 or more")
    if RANDOM not in options.against or set(options.against) - set(CONTROLS):
        raise InputError(
            f"{where}.against = {options.against}: use {RANDOM!r}, and besides some of "
            f"{', '.join(CONTROLS[1:])}"
        )
    if not options.ablations or len(set(options.ablations)) < len(options.ablations):
        raise InputError(f"{where}.ablations must name each once, and at least one")
    for ablation in options.ablations:
        if ablation not in ABLATIONS:
            raise InputError(
                f"{where}.ablations: {ablation!r} is unknown; use some of {', '.join(ABLATIONS)}"
            )
    if (
        len({0, *options.strengths}) <= len(options.strengths)
        or not np.isfinite(options.strengths).all()
    ):
        raise InputError(
            f"{where}.strengths = {options.strengths}: name each once, finite and not 0"
        )
    if len(set(options.caps)) < len(options.caps) or not all(0 <= q <= 1 for q in options.caps):
        raise InputError(f"{where}.caps = {options.caps}: name quantiles from 0 to 1, each once")
    if not 0 < options.level < 1:
        raise InputError(f"{where}.level = {options.level} is outside (0, 1)")
    if not all(prompt.strip() for prompt in options.written) or (
        len(set(options.written)) < len(options.written)
    ):
        raise InputError(
            f"{where}.written = {options.written}: name each prompt once, and none without text"
        )
    if options.tokens not in TOKENS or options.tokens == "generated":
        raise InputError(
            f"{where}.tokens = {options.tokens!r}; use one of all, statement, last (what is "
            "generated follows the answer that is measured)"
        )

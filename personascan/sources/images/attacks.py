"""The attacks by name, with the published options as defaults."""

from collections.abc import Callable
from dataclasses import dataclass

from personascan.errors import InputError
from personascan.sources.images.attacked import Attacked, AttackOptions, round_to_8_bits
from personascan.sources.images.gradients import bim, deepfool, fgsm
from personascan.sources.images.hop_skip_jump import hop_skip_jump

__all__ = [
    "ATTACKS", "Attack", "AttackOptions", "Attacked", "bim", "deepfool", "fgsm", "hop_skip_jump",
    "round_to_8_bits",
]  # fmt: skip

# Each attack, and the fields of `Attack` that it takes besides `clip` and `rounding`.
FUNCTIONS = {
    "fgsm": (fgsm, ("eps",)),
    "bim": (bim, ("eps", "step", "iterations")),
    "bim-targeted": (bim, ("eps", "step", "iterations", "target")),
    "deepfool": (deepfool, ("iterations",)),
    "hop-skip-jump": (hop_skip_jump, ("iterations", "seed")),
}


@dataclass(frozen=True)
class Attack:
    """An attack and its options; options that the attack does not take are ignored.

    eps, step: in units of a pixel's range, as in Cintas et al., IJCAI 2020.
    iterations: the most; 0: the attack's own default.
    rounding: whether attacked images are rounded to 8 bits before success is judged.
    target: the class to be predicted instead.
    """

    name: str
    eps: float = 0.01
    step: float = 0.002
    iterations: int = 0
    clip: bool = True
    rounding: bool = False
    target: int = 0
    seed: int = 0

    def __post_init__(self):
        if self.name not in FUNCTIONS:
            raise InputError(f"attack {self.name!r} is unknown; known: {', '.join(FUNCTIONS)}")

    def options(self) -> dict:
        """Returns the options that the attack takes, by name: they decide its results."""
        return self.own_options() | {"clip": self.clip, "rounding": self.rounding}

    def own_options(self) -> dict:
        """Returns the options that not every attack has, by name."""
        options = {name: getattr(self, name) for name in FUNCTIONS[self.name][1]}
        if not self.iterations:
            options.pop("iterations", None)
        return options

    def run(self, logits_fn: Callable, images_NHW, labels_N) -> Attacked:
        """Attacks every image. Raises InputError for invalid images, labels or options."""
        attack, _ = FUNCTIONS[self.name]
        shared = AttackOptions(self.clip, self.rounding)
        return attack(logits_fn, images_NHW, labels_N, **self.own_options(), options=shared)


ATTACKS = {name: Attack(name) for name in FUNCTIONS}

"""The attacks by name, with the options that were published."""

from collections.abc import Callable
from dataclasses import dataclass

from personascan.errors import InputError
from personascan.sources.images.attacked import Attacked, rounded
from personascan.sources.images.gradients import bim, deepfool, fgsm
from personascan.sources.images.hop_skip_jump import hop_skip_jump

__all__ = [
    "ATTACKS", "Attack", "Attacked", "bim", "deepfool", "fgsm", "hop_skip_jump", "rounded",
]  # fmt: skip

# Each attack, and which of its fields it takes besides `clip` and `rounding`.
FUNCTIONS = {
    "fgsm": (fgsm, ("eps",)),
    "bim": (bim, ("eps", "step", "iterations")),
    "bim-targeted": (bim, ("eps", "step", "iterations", "target")),
    "deepfool": (deepfool, ("iterations",)),
    "hop-skip-jump": (hop_skip_jump, ("iterations", "seed")),
}


@dataclass(frozen=True)
class Attack:
    """An attack and its options; those that it does not take are not looked at.

    eps, step: in units of a pixel's range, those of Cintas et al., IJCAI 2020.
    iterations: the most; 0: the attack's own default.
    rounding: whether what is attacked is rounded to 8 bits before success is judged.
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
        """What decides the attack: the options that it takes."""
        taken = {name: getattr(self, name) for name in FUNCTIONS[self.name][1]}
        if not self.iterations:
            taken.pop("iterations", None)
        return taken | {"clip": self.clip, "rounding": self.rounding}

    def run(self, logits_fn: Callable, images_NHW, labels_N) -> Attacked:
        """Attack every image. Raises InputError for images, labels or options that are not such."""
        attack, _ = FUNCTIONS[self.name]
        return attack(logits_fn, images_NHW, labels_N, **self.options())


ATTACKS = {name: Attack(name) for name in FUNCTIONS}

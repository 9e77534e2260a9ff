"""A direction in a model's activations: what steering adds, and where."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from personascan.errors import InputError


@dataclass(frozen=True, eq=False, repr=False)
class Direction:
    """What steering adds to a model, and the node set that goes with it. Keys: (site, layer).

    `2 * direction` is twice as long, `-direction` points the other way: `generate` takes them as
    `edits`.
    """

    name: str
    shift: dict[tuple[str, int], np.ndarray]  # float32 [D]: what strength 1 adds
    # int8 [D]: 1 where an upper half was found, -1 where a lower one was, 0 elsewhere.
    nodes: dict[tuple[str, int], np.ndarray] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)  # of what made them: plain JSON

    def __mul__(self, strength: float) -> "Direction":
        """Returns the direction at another strength. Raises InputError for no finite number."""
        if isinstance(strength, bool) or not isinstance(strength, int | float | np.number):
            return NotImplemented
        with np.errstate(over="ignore"):
            shift = {
                at: (float(strength) * x_D.astype(np.float64)).astype(np.float32)
                for at, x_D in self.shift.items()
            }
        if not all(np.isfinite(x_D).all() for x_D in shift.values()):
            raise InputError(f"strength {strength:g}: the direction would not be finite")
        return replace(self, shift=shift)

    __rmul__ = __mul__

    def __neg__(self) -> "Direction":
        return self * -1

    def __repr__(self) -> str:
        places = ", ".join(
            f"{site} {layer} (norm {np.linalg.norm(x_D):.3g})"
            for (site, layer), x_D in self.shift.items()
        )
        return f"Direction({self.name}: {places})"

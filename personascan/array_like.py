"""What functions take as an array: a name that stays short where signatures are shown."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy.typing import ArrayLike as ArrayLike
else:  # NumPy's own is a union, which `help` spells out in full

    class ArrayLike:
        """An array of NumPy, JAX or torch, or nested lists of numbers."""

    ArrayLike.__module__ = "numpy.typing"

"""How results show themselves: one line, a table in a notebook, matplotlib axes."""

import abc
import html
from typing import IO, TYPE_CHECKING, Any, TypeVar

import numpy as np

from personascan.places import Place, lines_of

if TYPE_CHECKING:
    import os

    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    class PlotFigure(Figure):
        """A whole figure, whose `savefig` is typed: matplotlib leaves some of it unknown."""

        def savefig(
            self,
            fname: str | os.PathLike[str] | IO[bytes],
            *,
            transparent: bool | None = None,
            **kwargs: Any,
        ) -> None: ...

    class FigureAxes(Axes):
        """Axes of a figure of their own, as plots make them: `axes.figure.savefig(path)` works."""

        @property
        def figure(self) -> PlotFigure: ...


A = TypeVar("A", bound="Axes")  # axes that are given, and returned
ROWS = 12  # of a table in a notebook
COLOURS = {"strong": "#b5460f", "weak": "#9aa0a6"}


class Shown(abc.ABC):
    """A result whose `summary()` is its representation, with its frame as a table in notebooks."""

    @abc.abstractmethod
    def summary(self) -> str:
        """Returns what there is to say of the result in a line."""

    @abc.abstractmethod
    def to_frame(self) -> "pandas.DataFrame":
        """Returns the result as a table."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.summary()})"

    def _repr_html_(self) -> str:
        table = self.to_frame().to_html(max_rows=ROWS, max_cols=ROWS, float_format="{:.4g}".format)
        return f"<p>{html.escape(repr(self))}</p>{table}"


def new_axes(axes: "Axes | None") -> "Axes":
    """Returns axes to draw on: those given, else those of a new figure."""
    if axes is not None:
        return axes
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(6, 3.4), layout="constrained")[1]


def plot_places(keys, z_P, limit: float, axes: "Axes | None") -> "Axes":
    """Draws z by layer, a line for each site and position, above the limit of the null."""
    axes = new_axes(axes)
    axes.axhspan(0, limit, color=COLOURS["weak"], alpha=0.25, lw=0)
    if all(isinstance(key, Place) for key in keys):
        number = {key: i for i, key in enumerate(keys)}
        for (site, position), places in lines_of(keys).items():
            z = [z_P[number[place]] for place in places]
            name = f"{site}, {position}" if position != "" else str(site)
            axes.plot(range(len(places)), z, ".-", ms=5, label=name)
            if len(places) == len(keys):
                axes.set_xticks(range(len(places)), [p.name for p in places], rotation=90)
        axes.set_xlabel("layer")
        axes.legend(frameon=False, fontsize=8)
    else:
        axes.plot(range(len(keys)), z_P, "o", color=COLOURS["strong"])
        axes.set_xticks(range(len(keys)), list(map(str, keys)), rotation=90)
    axes.set_ylabel("z")
    axes.set_title("grey: 95% of the highest z of all places\nunder permuted labels", fontsize=8)
    return axes


def plot_nodes(effect_D, q_D, level: float, axes: "Axes | None") -> "Axes":
    """Draws the effect of each node against its false discovery rate."""
    axes = new_axes(axes)
    found_D = q_D <= level
    for chosen_D, colour, name in (
        (~found_D, "weak", f"q > {level:g}"), (found_D, "strong", f"q <= {level:g}"),
    ):  # fmt: skip
        q = np.maximum(q_D[chosen_D], 1e-6)
        axes.plot(effect_D[chosen_D], q, ".", color=COLOURS[colour], label=f"{q.size} {name}")
    axes.set_yscale("log")
    axes.invert_yaxis()
    axes.set_xlabel("effect (Cohen's d, H1 less H0)")
    axes.set_ylabel("q")
    axes.legend(frameon=False, fontsize=8)
    return axes


def plot_values(values: Any, name: str, axes: "Axes | None") -> "Axes":
    """Draws a histogram of values."""
    axes = new_axes(axes)
    axes.hist(np.asarray(values).ravel(), bins=30, color=COLOURS["strong"])
    axes.set_xlabel(name)
    axes.set_ylabel("rows")
    return axes

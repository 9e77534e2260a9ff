"""Venn diagrams of two to five sets: every region is there, sizes are not to scale.

Circles cannot show all regions of four sets or more, ellipses can (Venn 1880; Grünbaum 1975, of
five). These were chosen among thousands drawn at random for the width of their narrowest region.
"""

import functools

import altair as alt
import numpy as np
from scipy.ndimage import distance_transform_edt

from personascan.report.charts.theme import COLOURS, INK, data

GRID = np.linspace(-1.3, 1.3, 521)
# Of each set: x, y, half of the long axis, half of the short one, degrees.
SHAPES = {
    2: [(-0.4, 0, 0.75, 0.75, 0), (0.4, 0, 0.75, 0.75, 0)],
    3: [(0.42 * np.cos(a), 0.42 * np.sin(a), 0.7, 0.7, 0) for a in np.deg2rad([90, 210, 330])],
    4: [
        (-0.277, -0.124, 0.878, 0.405, -46.7), (-0.0765, 0.059, 0.878, 0.405, -46.7),
        (0.0765, 0.059, 0.878, 0.405, 46.7), (0.277, -0.124, 0.878, 0.405, 46.7),
    ],
    5: [
        (0.31 * np.cos(a), 0.31 * np.sin(a), 0.843, 0.373, np.rad2deg(a) - 12.1)
        for a in np.deg2rad([90, 162, 234, 306, 378])
    ],
}  # fmt: skip


def outline(shape, points: int = 90) -> tuple[np.ndarray, np.ndarray]:
    """An ellipse as a line: x and y."""
    x, y, long, short, degrees = shape
    along, angle = np.linspace(0, 2 * np.pi, points, endpoint=False), np.deg2rad(degrees)
    u, v = long * np.cos(along), short * np.sin(along)
    return x + u * np.cos(angle) - v * np.sin(angle), y + u * np.sin(angle) + v * np.cos(angle)


@functools.cache
def middles(sets: int) -> dict[tuple[int, ...], tuple[float, float]]:
    """{sets that overlap there: the point of the region farthest from its edges}."""
    x_GG, y_GG = np.meshgrid(GRID, GRID)
    inside_SGG = np.array([within(shape, x_GG, y_GG) for shape in SHAPES[sets]])
    code_GG = np.tensordot(1 << np.arange(sets), inside_SGG, 1)
    found = {}
    for code in range(1, 1 << sets):
        depth_GG = distance_transform_edt(code_GG == code)
        at = np.unravel_index(depth_GG.argmax(), depth_GG.shape)
        members = tuple(s for s in range(sets) if code >> s & 1)
        found[members] = (float(x_GG[at]), float(y_GG[at]))
    return found


def within(shape, x, y) -> np.ndarray:
    """Whether points lie in an ellipse."""
    cx, cy, long, short, degrees = shape
    angle = np.deg2rad(degrees)
    u = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
    v = (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
    return (u / long) ** 2 + (v / short) ** 2 < 1


def venn() -> alt.Chart:
    """Nodes in exactly the sets that overlap in a region."""
    span = alt.Scale(domain=[-1.25, 1.25])
    x, y = (alt.X("x:Q", scale=span, axis=None), alt.Y("y:Q", scale=span, axis=None))
    colours = alt.Scale(range=list(COLOURS))
    legend = alt.Legend(title=None, orient="bottom", columns=3, symbolType="circle")
    sets = data("venn_outlines").encode(
        x, y, alt.Order("order:Q"),
        alt.Stroke("comparison:N", scale=colours, sort=None, legend=legend),
        alt.Fill("comparison:N", scale=colours, sort=None, legend=legend),
    ).mark_line(interpolate="linear-closed", strokeWidth=2, fillOpacity=0.12)  # fmt: skip
    counts = data("venn_counts").mark_text(fontSize=11, color=INK).encode(
        x, y, alt.Text("nodes:Q"),
        tooltip=["names:N", alt.Tooltip("nodes:Q", title="nodes in exactly these sets")],
    )  # fmt: skip
    return alt.layer(sets, counts).properties(width=360, height=360)

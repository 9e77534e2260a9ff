"""Where the places of a part stand on the axes of pictures."""

from dataclasses import dataclass

from personascan.places import ONCE, Place, depths, lines_of
from personascan.report.words import line_name
from personascan.study.results import Part
from personascan.visible import visible


@dataclass(frozen=True)
class Spot:
    """A place, as pictures name and order it."""

    place: str
    line: str  # the layers of a site at a position
    layer: str  # its number, or the name that it has
    number: int  # to order layers by: those of all lines at once
    depth: float


def spots(part: Part) -> dict[Place, Spot]:
    """Of every place of the part."""
    line_of = {
        place: line_name(*key) for key, line in lines_of(part.places).items() for place in line
    }
    depth_of = depths(part.places, part.source.layers)
    last = max((q.layer for q in part.places if q.site not in ONCE), default=-1) + 1
    return {
        q: Spot(
            visible(str(q)),
            visible(line_of[q]),
            visible(q.site) if q.network or q.site in ONCE else str(q.layer),
            i if q.network else last if q.site in ONCE else q.layer,
            depth_of[q],
        )
        for i, q in enumerate(part.places)
    }

"""Places: where in a model activations are taken. The one key of activations and of results."""

from dataclasses import dataclass

from personascan.errors import InputError

ONCE = ("final_norm",)  # sites outside the blocks: one layer, whose number is 0
STREAM = "resid_post"


@dataclass(frozen=True, order=True)
class Place:
    """A site of a layer at a position of the prompt."""

    site: str
    layer: int
    position: str | int  # "" where rows have no positions
    network: str = ""  # set where layers are named, not numbered; `site` is then the layer's name

    @property
    def name(self) -> str:
        """Site and layer, such as "resid_post 7"; a layer's own name."""
        return self.site if self.network or self.site in ONCE else f"{self.site} {self.layer}"

    def __str__(self) -> str:
        return self.name if self.position == "" else f"{self.name}, {self.position}"


def whole_number(position):
    """ "-2" -> -2, as flags and files spell it."""
    if isinstance(position, str) and position.removeprefix("-").isdecimal():
        return int(position)
    return position


def chosen_places(sites, layers: int, numbers, positions) -> list[Place]:
    """Every site at every position and chosen layer (none chosen: all), position by position.

    A layer is a number, or a share of the depth such as "50%": the layer nearest to it. Raises
    InputError for one that a model of that many layers does not have.
    """
    kept = sorted({layer_number(number, layers) for number in numbers}) or range(layers)
    return [
        Place(site, layer, position)
        for position in positions
        for site in sites
        for layer in ((0,) if site in ONCE else kept)
    ]


def layer_number(layer: int | str, layers: int) -> int:
    """The number of a layer, given as one or as a share of the depth."""
    text = str(layer)
    share = text.removesuffix("%")
    if not share.isdecimal() or (share == text and int(text) >= layers):
        raise InputError(
            f"layer {layer} is none of this model's, 0 to {layers - 1}, and no share such as 50%"
        )
    if share == text:
        return int(text)
    return round(min(int(share), 100) / 100 * (layers - 1))


def named_place(text: str, places: list[Place], layers: int, of: str = "this study") -> Place:
    """The place that a text names: "resid_post 7 last", "resid_post 50% last"; the position where
    there are several. A place whose own name is that text, whatever that holds, comes first.

    Raises InputError for a name that is none of `places`.
    """
    alone = len({p.position for p in places}) == 1
    for place in places:
        if text == str(place) or (alone and text == place.name):
            return place
    words = [
        str(layer_number(word, layers)) if word.endswith("%") else word
        for word in text.replace(",", " ").split()
    ]
    for place in places:
        name = [*place.name.split(), *str(place.position).split()]
        if words == name or (alone and words == place.name.split()):
            return place
    known = list(map(str, places))
    shown = "; ".join(known if len(known) < 6 else [*known[:3], "...", known[-1]])
    raise InputError(f"{text!r} is no place of {of}; there are {shown}")


def lines_of(places) -> dict[tuple, list[Place]]:
    """Places that make one line of a profile: the layers of a site at a position, in order.

    final_norm ends the line of the residual stream, where that is among them; layers with names of
    their own make the line of their network.
    """
    found = {}
    for place in places:
        site = place.network or place.site
        if site in ONCE and any((p.site, p.position) == (STREAM, place.position) for p in places):
            site = STREAM
        found.setdefault((site, place.position), []).append(place)
    return found


def depths(places, layers: int) -> dict[Place, float]:
    """Relative depth: 0 at the first of that many blocks, 1 at the last and behind it.

    Layers with names of their own: within their line; the only one of a line is its last.
    """
    found = {}
    for line in lines_of(places).values():
        for i, place in enumerate(line):
            if place.network:
                found[place] = i / (len(line) - 1) if len(line) > 1 else 1.0
            else:
                found[place] = 1.0 if place.site in ONCE else place.layer / max(layers - 1, 1)
    return {place: found[place] for place in places}

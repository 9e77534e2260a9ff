"""Places in a model at which activations are taken: the key of activations and of results."""

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
        """Site and layer, such as "resid_post 7", or the own name of a named layer."""
        return self.site if self.network or self.site in ONCE else f"{self.site} {self.layer}"

    def __str__(self) -> str:
        return self.name if self.position == "" else f"{self.name}, {self.position}"


def whole_number(position):
    """Returns -2 for "-2", as flags and files spell it, and any other position as it is."""
    if isinstance(position, str) and position.removeprefix("-").isdecimal():
        return int(position)
    return position


def chosen_places(sites, layers: int, numbers, positions) -> list[Place]:
    """Returns every site at every position and chosen layer (none: all), position by position.

    A layer is a number, or a share of the depth such as "50%", for the nearest layer. Raises
    InputError for a layer that a model of that many layers does not have.
    """
    chosen = sorted({layer_number(number, layers) for number in numbers}) or range(layers)
    return [
        Place(site, layer, position)
        for position in positions
        for site in sites
        for layer in ((0,) if site in ONCE else chosen)
    ]


def layer_number(layer: int | str, layers: int) -> int:
    """Returns the number of a layer, which is given as a number or as a share of the depth."""
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
    """Returns the place that a text names, such as "resid_post 7 last" or "resid_post 50% last".

    The position may be left out if there is only one. A place whose own name is the text comes
    first. Raises InputError if none of `places` has that name.
    """
    one_position = len({p.position for p in places}) == 1
    for place in places:
        if text == str(place) or (one_position and text == place.name):
            return place
    words = [
        str(layer_number(word, layers)) if word.endswith("%") else word
        for word in text.replace(",", " ").split()
    ]
    for place in places:
        name = [*place.name.split(), *str(place.position).split()]
        if words == name or (one_position and words == place.name.split()):
            return place
    known = list(map(str, places))
    shown = "; ".join(known if len(known) < 6 else [*known[:3], "...", known[-1]])
    raise InputError(f"{text!r} is no place of {of}; there are {shown}")


def lines_of(places) -> dict[tuple, list[Place]]:
    """Groups places into lines of a profile: the layers of a site at a position, in order.

    final_norm ends the line of the residual stream, if that is among the places; named layers make
    the line of their network.
    """
    lines = {}
    for place in places:
        site = place.network or place.site
        if site in ONCE and any((p.site, p.position) == (STREAM, place.position) for p in places):
            site = STREAM
        lines.setdefault((site, place.position), []).append(place)
    return lines


def depths(places, layers: int) -> dict[Place, float]:
    """Returns relative depths: 0 at the first of that many blocks, 1 at the last and behind it.

    The depth of a named layer is that within its line; the only one of a line is its last.
    """
    by_place = {}
    for line in lines_of(places).values():
        for i, place in enumerate(line):
            if place.network:
                by_place[place] = i / (len(line) - 1) if len(line) > 1 else 1.0
            else:
                by_place[place] = 1.0 if place.site in ONCE else place.layer / max(layers - 1, 1)
    return {place: by_place[place] for place in places}

"""The places that a caller names, as `Place` or as text, of a model with so many layers."""

from collections.abc import Mapping, Sequence

from personascan.errors import InputError
from personascan.places import ONCE, Place, layer_number, whole_number
from personascan.sources.language.positions import is_known

HOW = 'name places as Place, "resid_post", "resid_post 7" or "resid_post 50% mean"'


def asked_places(
    asked: Sequence[Place | str], depths: Mapping[str, int], position: str | int = "last"
) -> list[Place]:
    """Returns the places that are named, each once, in the order of sites and layers.

    Args:
      asked: `Place` records, or texts: a site ("resid_post": all of its layers), a site and a layer
        ("resid_post 7", "resid_post 50%"), and behind these a position.
      depths: {site: how many layers it has}.
      position: where a text names none.

    Raises:
      InputError: nothing named, what is neither, a site or layer that is not there, an unknown
        position, layers of a site that differ between its positions.
    """
    if isinstance(asked, str | Place) or not isinstance(asked, Sequence) or not asked:
        raise InputError(f"places must be a list, got {asked!r}; {HOW}")
    of_line: dict[tuple, set[int]] = {}
    for one in asked:
        place = of_text(one, position) if isinstance(one, str) else one
        if not isinstance(place, Place) or place.network:
            raise InputError(f"{one!r} is no place of a model; {HOW}")
        if place.site not in depths:
            raise InputError(f"site {place.site!r} is unknown here; there are {', '.join(depths)}")
        depth, line = depths[place.site], of_line.setdefault((place.site, place.position), set())
        layer: int | str = place.layer  # from a text: a word, "" for all
        line |= set(range(depth)) if layer == "" else {layer_number(layer, depth)}
    for site in depths:
        lines = [layers for (of, _), layers in of_line.items() if of == site]
        if any(layers != lines[0] for layers in lines):
            raise InputError(
                f"the layers of {site} differ between positions; name the same at each, or read "
                "them in two calls"
            )
    return [
        Place(*line[:1], n, line[1]) for line, layers in of_line.items() for n in sorted(layers)
    ]


def of_text(text: str, position: str | int) -> Place:
    """Returns a place whose layer is still a word, "" where the text names none."""
    site, *words = text.replace(",", " ").split() or [""]
    layer = "" if site not in ONCE else "0"
    if words and site not in ONCE and words[0].removesuffix("%").isdecimal():
        layer = words.pop(0)
    place = whole_number(words.pop(0)) if words else position
    if words or not is_known(place):
        raise InputError(f"{text!r} is no place of a model; {HOW}")
    return Place(site, layer, place)  # type: ignore[arg-type]

"""Checks that a model can be steered along a direction."""

from personascan.direction import Direction, refuse_vectors
from personascan.errors import InputError
from personascan.models.config import DecoderConfig
from personascan.models.decoder import SITES
from personascan.places import ONCE


def refuse_unusable(where, direction: Direction) -> None:
    """Raises InputError if no model can be steered by the direction."""
    refuse_vectors(where, direction)
    for site, layer in (*direction.shift, *direction.nodes):
        if site not in SITES or layer < 0 or (site in ONCE and layer):
            raise InputError(f"{where}: {site!r} {layer} is no place; sites are {', '.join(SITES)}")


def refuse_misfit(where, direction: Direction, config: DecoderConfig) -> None:
    """Raises InputError if a vector does not have this model's shape."""
    for (site, layer), x_D in (*direction.shift.items(), *direction.nodes.items()):
        layers, width = config.site_shape(site)
        if not 0 <= layer < layers:
            raise InputError(
                f"{where}: {site} {layer} is none of this model's, whose layers of {site} are 0 to "
                f"{layers - 1}; use the model it was made for"
            )
        if x_D.shape != (width,):
            raise InputError(
                f"{where}: {site} {layer} has the shape {x_D.shape}, and this model's {site} has "
                f"{width} nodes; use the model it was made for"
            )

"""Checks that a model can be steered along a direction."""

import numpy as np

from personascan.direction import Direction
from personascan.errors import InputError
from personascan.models.config import DecoderConfig
from personascan.models.decoder import SITES
from personascan.places import ONCE


def refuse_unusable(where, direction: Direction) -> None:
    """Raises InputError if no model can be steered by the direction."""
    name = direction.name
    if not (isinstance(name, str) and name.strip() and name.isprintable()):
        raise InputError(f"{where} has the name {name!r}; give it one of characters that show")
    if not direction.shift:
        raise InputError(f"{where} has no vector; a node set alone is no direction")
    kinds = (direction.shift, np.float32), (direction.nodes, np.int8)
    for (site, layer), x_D, dtype in ((*item, d) for of, d in kinds for item in of.items()):
        if site not in SITES or layer < 0 or (site in ONCE and layer):
            raise InputError(f"{where}: {site!r} {layer} is no place; sites are {', '.join(SITES)}")
        if not isinstance(x_D, np.ndarray) or isinstance(x_D, np.ma.MaskedArray):
            raise InputError(
                f"{where}: {site} {layer} is a {type(x_D).__name__}; give {np.dtype(dtype)} [D] "
                "as a NumPy array"
            )
        if x_D.dtype != dtype or x_D.ndim != 1:
            raise InputError(
                f"{where}: {site} {layer} is {x_D.dtype} of shape {x_D.shape}; give "
                f"{np.dtype(dtype)} [D]"
            )
        if dtype == np.int8 and not np.isin(x_D, (-1, 0, 1)).all():
            raise InputError(f"{where}: nodes of {site} {layer} are not all 1, -1 or 0; make them")
        if not np.isfinite(x_D).all():
            raise InputError(
                f"{where}: {site} {layer} is not finite as float32; leave it out, or scale it down"
            )
    if not any(x_D.any() for x_D in direction.shift.values()):
        raise InputError(f"{where} is 0 everywhere, and so changes nothing; give another")


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

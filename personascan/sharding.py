"""How arrays are spread over devices: a mesh of (data, model), and one rule for each parameter."""

import gc
import re

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from personascan.errors import InputError

AXES = ("data", "model")
# (pattern of a parameter's path, its axis that is split over "model", counted from the end).
# Heads and MLP columns are split, so that each block needs one sum over devices after attention
# and one after the MLP; what no pattern names is kept whole on every device.
RULES = (
    (r"/(q|k|v)(_norm)?(_bias)?$", 2),
    (r"/o$", 3),
    (r"/(gate|up)(_bias)?$", 1),
    (r"/down$", 2),
    (r"^(embedding|lm_head|lm_head_bias)$", 1),
)


def device_mesh(data: int = 1, model: int = 1) -> Mesh:
    """A mesh of data x model devices: batches are split over `data`, parameters over `model`.

    Raises InputError where there are not as many devices.
    """
    devices = jax.devices()
    if data < 1 or model < 1 or data * model > len(devices):
        raise InputError(
            f"a mesh of {data} x {model} devices needs {data * model}; there are {len(devices)}"
        )
    return Mesh(np.array(devices[: data * model]).reshape(data, model), AXES)


def parse_mesh(text: str) -> Mesh | None:
    """A mesh from "DATAxMODEL", such as 2x4; None for an empty text."""
    if not text:
        return None
    numbers = re.fullmatch(r"(\d+)x(\d+)", text)
    if not numbers:
        raise InputError(f"mesh {text!r} is not of the form DATAxMODEL, for example 2x4")
    return device_mesh(*map(int, numbers.groups()))


def parameter_sharding(path: str, shape: tuple[int, ...], mesh: Mesh | None):
    """Where a parameter goes; an axis that does not divide evenly is kept whole."""
    if mesh is None:
        return jax.sharding.SingleDeviceSharding(jax.devices()[0])
    spec = [None] * len(shape)
    for pattern, from_end in RULES:
        if re.search(pattern, path) and from_end <= len(shape):
            if shape[-from_end] % mesh.shape["model"] == 0:
                spec[-from_end] = "model"
            break
    return NamedSharding(mesh, PartitionSpec(*spec))


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """Rows over `data`."""
    return NamedSharding(mesh, PartitionSpec("data"))


def put(array: np.ndarray, sharding) -> jax.Array:
    """A host array on its devices, each of which takes its own part."""
    if sharding.is_fully_addressable:
        made = jax.device_put(array, sharding).block_until_ready()
    else:
        made = jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])
    return made


def let_go() -> None:
    """Free the host arrays that were put: JAX keeps them until Python next collects garbage."""
    gc.collect(0)

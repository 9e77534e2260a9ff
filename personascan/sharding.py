"""How arrays are spread over devices: a mesh of (data, model), and one rule for each parameter."""

import gc
import math
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
    """A mesh of data x model devices: batches go over `data`, parameters are split over `model`.

    Each of several processes has as many of them, those of one process side by side. Raises
    InputError where there are not as many devices, or they cannot be shared evenly.
    """
    total, devices = data * model, jax.devices()
    if data < 1 or model < 1 or total > len(devices):
        raise InputError(
            f"a mesh of {data} x {model} devices needs {total}; there are {len(devices)}"
        )
    if jax.process_count() > 1:
        devices = evenly(devices, total)
    return Mesh(np.array(devices[:total]).reshape(data, model), AXES)


def evenly(devices: list, total: int) -> list:
    """Returns as many devices of each process, in the order of processes."""
    processes = jax.process_count()
    each = [[d for d in devices if d.process_index == p] for p in range(processes)]
    if total % processes or total // processes > min(map(len, each)):
        raise InputError(
            f"{total} devices cannot be shared evenly by {processes} processes with "
            f"{', '.join(str(len(own)) for own in each)} devices; use another mesh"
        )
    return [d for own in each for d in own[: total // processes]]


def parse_mesh(text: str) -> Mesh | None:
    """A mesh from "DATAxMODEL", such as 2x4; None for an empty text, if there is one process."""
    if not text and jax.distributed.is_initialized() and jax.process_count() > 1:
        raise InputError(
            f"{jax.process_count()} processes with {jax.device_count()} devices in all need a mesh "
            "of DATAxMODEL devices, for example "
            f"1x{jax.device_count()} for a model that needs all of them"
        )
    if not text:
        return None
    numbers = re.fullmatch(r"(\d+)x(\d+)", text)
    if not numbers:
        raise InputError(f"mesh {text!r} is not of the form DATAxMODEL, for example 2x4")
    return device_mesh(*map(int, numbers.groups()))


def parameter_sharding(path: str, shape: tuple[int, ...], mesh: Mesh | None):
    """Where a parameter goes; an axis that does not divide evenly is kept whole."""
    if mesh is None:
        return jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    spec = [None] * len(shape)
    for pattern, from_end in RULES:
        if re.search(pattern, path) and from_end <= len(shape):
            if shape[-from_end] % mesh.shape["model"] == 0:
                spec[-from_end] = "model"
            break
    return NamedSharding(mesh, PartitionSpec(*spec))


def own_share(path: str, shape: tuple[int, ...], mesh: Mesh | None) -> int:
    """How many numbers of a parameter the devices of this process hold, copies included."""
    sharding = parameter_sharding(path, shape, mesh)
    return len(sharding.addressable_devices) * math.prod(sharding.shard_shape(shape))


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """Rows over `data`."""
    return NamedSharding(mesh, PartitionSpec("data"))


def put(array: np.ndarray, sharding) -> jax.Array:
    """A host array on its devices, each of which takes its own part."""
    if sharding.is_fully_addressable:
        return jax.device_put(array, sharding).block_until_ready()
    return jax.make_array_from_callback(array.shape, sharding, array.__getitem__)


def put_parts(shape: tuple[int, ...], sharding, part) -> jax.Array:
    """An array whose `part(index)` is made on the host for one device of this process at a time."""
    return jax.make_array_from_callback(shape, sharding, part).block_until_ready()


def free_host_arrays() -> None:
    """Free the host arrays that were put: JAX keeps them until Python next collects garbage."""
    gc.collect(0)

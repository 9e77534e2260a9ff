"""How arrays are split over devices: a mesh of (data, model), and a rule for each parameter."""

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
# and one after the MLP; a parameter that no pattern names is whole on every device.
RULES = (
    (r"/(q|k|v)(_norm)?(_bias)?$", 2),
    (r"/o$", 3),
    (r"/(gate|up)(_bias)?$", 1),
    (r"/down$", 2),
    (r"^(embedding|lm_head|lm_head_bias)$", 1),
)


def device_mesh(data: int = 1, model: int = 1) -> Mesh:
    """Returns a mesh of data x model devices, which split batches and parameters respectively.

    Each of several processes gives equally many, adjacent in the mesh. Raises InputError if there
    are not as many devices, or they cannot be shared evenly.
    """
    total, devices = data * model, jax.devices()
    if data < 1 or model < 1 or total > len(devices):
        raise InputError(
            f"a mesh of {data} x {model} devices needs {total}; there are {len(devices)}"
        )
    if jax.process_count() > 1:
        devices = even_devices(devices, total)
    return Mesh(np.array(devices[:total]).reshape(data, model), AXES)


def even_devices(devices: list, total: int) -> list:
    """Returns equally many devices of each process, in the order of processes."""
    processes = jax.process_count()
    each = [[d for d in devices if d.process_index == p] for p in range(processes)]
    if total % processes or total // processes > min(map(len, each)):
        raise InputError(
            f"{total} devices cannot be shared evenly by {processes} processes with "
            f"{', '.join(str(len(own)) for own in each)} devices; use another mesh"
        )
    return [d for own in each for d in own[: total // processes]]


def parse_mesh(text: str) -> Mesh | None:
    """Returns the mesh of "DATAxMODEL", such as 2x4; None for "" in a single process.

    Raises InputError for another text, and for "" in one of several processes.
    """
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
    """Returns the sharding of a parameter; an axis that does not divide evenly stays whole."""
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
    """Returns the numbers of a parameter that this process's devices hold, copies included."""
    sharding = parameter_sharding(path, shape, mesh)
    return len(sharding.addressable_devices) * math.prod(sharding.shard_shape(shape))


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """Returns the sharding of rows over `data`."""
    return NamedSharding(mesh, PartitionSpec("data"))


def put(array: np.ndarray, sharding) -> jax.Array:
    """Puts a host array on its devices, each of which takes its own part."""
    if sharding.is_fully_addressable:
        return jax.device_put(array, sharding).block_until_ready()
    return jax.make_array_from_callback(array.shape, sharding, array.__getitem__)


def put_parts(shape: tuple[int, ...], sharding, part) -> jax.Array:
    """Returns an array whose `part(index)` is made on the host for one device at a time."""
    return jax.make_array_from_callback(shape, sharding, part).block_until_ready()


def free_host_arrays() -> None:
    """Frees host arrays that were put, which JAX holds until Python next collects garbage."""
    gc.collect(0)

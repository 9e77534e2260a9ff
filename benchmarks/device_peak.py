"""What the devices can do at most: products of square matrices, and copies to them."""

import functools
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from personascan.sharding import batch_sharding

REPEATS = 5
MOST_SECONDS = 20  # after which nothing is repeated any more
SIZE = {"cpu": 2048}  # of the matrices; elsewhere
LARGE = 8192


def median_seconds(work, repeats: int = REPEATS) -> float:
    """The median of a few timings of `work`, which returns what is to be waited for."""
    taken: list[float] = []
    while len(taken) < repeats and sum(taken) < MOST_SECONDS:
        began = time.perf_counter()
        jax.block_until_ready(work())
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def measure_products(mesh=None, size: int | None = None) -> list[dict]:
    """FLOP/s of square products on all local devices, each with its own, accumulated in float32.

    On accelerators float32 twice: as JAX multiplies by default, which rounds the operands there,
    and at the highest precision.
    """
    n = size or SIZE.get(jax.default_backend(), LARGE)
    devices = 1 if mesh is None else mesh.size
    found = []
    kinds = [("bfloat16", "default"), ("float32", "default")]
    kinds += [("float32", "highest")] * (jax.default_backend() != "cpu")
    for dtype, precision in kinds:
        x_RX, y_XY = random_matrices(devices, n, dtype, mesh)
        product = jax.jit(
            functools.partial(jnp.matmul, precision=precision, preferred_element_type=jnp.float32)
        )
        jax.block_until_ready(product(x_RX, y_XY))
        seconds = median_seconds(lambda p=product, x=x_RX, y=y_XY: p(x, y))
        found.append(
            {
                "dtype": dtype,
                "precision": precision,
                "matrix_rows": n,
                "devices": devices,
                "median_seconds": seconds,
                "flop_per_second_all_devices": devices * 2 * n**3 / seconds,
            }
        )
    return found


def random_matrices(devices: int, n: int, dtype: str, mesh):
    """n rows for each device, on it, and n x n on all of them. Random: zeros draw less power."""
    rows, alike = None, None
    if mesh is not None:
        rows, alike = batch_sharding(mesh), NamedSharding(mesh, PartitionSpec())

    def make(number, shape):
        key = jax.random.fold_in(jax.random.key(0, impl="rbg"), number)
        return jax.random.uniform(key, shape, dtype, -1, 1)

    made = jax.jit(make, static_argnums=1, out_shardings=rows)(0, (devices * n, n))
    return made, jax.jit(make, static_argnums=1, out_shardings=alike)(1, (n, n))


def measure_transfer(rows: int, nodes: int) -> dict:
    """Seconds to put a place [rows, nodes] of float32 on the first device, and to fetch it."""
    place_ND = np.random.default_rng(0).standard_normal((rows, nodes), np.float32)
    device = jax.local_devices()[0]
    jax.device_put(place_ND, device).block_until_ready()
    put = median_seconds(lambda: jax.device_put(place_ND, device), 20)
    change = jax.jit(lambda x, i: x + i)
    there = [change(place_ND, np.float32(i)).block_until_ready() for i in range(20)]
    taken = []
    for array in there:  # an array keeps what was fetched of it
        began = time.perf_counter()
        np.asarray(array)
        taken.append(time.perf_counter() - began)
    return {
        "what": f"a place of {rows} x {nodes} float32",
        "bytes": place_ND.nbytes,
        "to_device_seconds": put,
        "from_device_seconds": statistics.median(taken),
        "to_device_bytes_per_second": place_ND.nbytes / put,
    }

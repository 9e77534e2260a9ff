"""How the decoder declares its parameters, initialises them, and takes them as bits on a CPU."""

import jax
import jax.numpy as jnp
import numpy as np


def declare_parameters(module, shapes: dict, dtype) -> dict[str, jax.Array]:
    """Declares the parameters of a Linen module; norms are float32, in which they are applied."""
    stored = {
        name: module.param(name, initial_values, shape, jnp.float32 if "norm" in name else dtype)
        for name, shape in shapes.items()
    }
    return {
        name: jax.lax.bitcast_convert_type(w, dtype) if w.dtype == jnp.uint16 else w
        for name, w in stored.items()
    }


def as_bits(params: dict) -> dict:
    """Returns bfloat16 parameters as their bits, in the same memory; the decoder takes both.

    XLA on a CPU slices no bfloat16: it widens all layers to float32 before the loop over them and
    narrows each in it again, which takes a tenth of the time and twice the memory.
    """

    def bits(w):
        if w.dtype != jnp.bfloat16:
            return w
        if len(w.sharding.device_set) > 1:
            return jax.lax.bitcast_convert_type(w, jnp.uint16)
        return jax.device_put(np.asarray(w).view(np.uint16), w.sharding)

    return jax.tree.map(bits, params)


def initial_values(key, shape, dtype):
    """Returns random weights for tests and dry runs: ones for norms, else a small normal."""
    return (
        jnp.ones(shape, dtype) if len(shape) == 1 else 0.02 * jax.random.normal(key, shape, dtype)
    )

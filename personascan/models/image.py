"""A small image classifier in Flax Linen, and how activations leave the image networks.

Each site is a variable collection of its own, as in the decoder: `mutable=("conv1",)` in `apply`
names the sites to keep, as [N, nodes] in the order height, width, channel.
"""

import functools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from personascan.errors import InputError

CLASSIFIER_SITES = ("conv1", "pool1", "conv2", "pool2", "dense1", "logits")
BATCH = 256  # images that are run at once


def tap(module: nn.Module, site: str, x):
    """Sows the activations of a site, [N, nodes] float32: they leave a network here alone."""
    kept_ND = x.reshape(len(x), -1).astype(jnp.float32)
    module.sow(site, "kept", kept_ND, reduce_fn=lambda _, new: new, init_fn=lambda: None)
    return x


def max_pool(x_NHWC):
    """Returns the largest of each 2 x 2 window, which at an odd edge is cut off ("same").

    A tie's gradient goes to the first in the window, as in torch and TensorFlow. Written with
    selections, since the scatter of the usual form's gradient takes more than twice the whole
    training step on CPU.
    """
    N, H, W, C = x_NHWC.shape
    odd = ((0, 0), (0, H % 2), (0, W % 2), (0, 0))
    x_NHWC = jnp.pad(x_NHWC, odd, constant_values=-jnp.inf)
    x = x_NHWC.reshape(N, (H + 1) // 2, 2, (W + 1) // 2, 2, C)

    def first_of(a, b):
        return jnp.where(a >= b, a, b)

    top = first_of(x[:, :, 0, :, 0], x[:, :, 0, :, 1])
    bottom = first_of(x[:, :, 1, :, 0], x[:, :, 1, :, 1])
    return first_of(top, bottom)


class Classifier(nn.Module):
    """conv 32 - pool - conv 64 - pool - dense 128 - logits; 3 x 3 kernels, "same", ReLU.

    The shape of the classifier attacked by Cintas et al., IJCAI 2020.
    """

    classes: int = 10
    sites = CLASSIFIER_SITES

    @nn.compact
    def __call__(self, pixels_NHW):
        """Returns logits [N, classes]; the sites conv and dense are those after the ReLU."""
        x = pixels_NHW[..., None]
        for number, channels in ((1, 32), (2, 64)):
            conv = nn.Conv(channels, (3, 3), precision="highest", name=f"conv{number}")
            x = tap(self, f"conv{number}", nn.relu(conv(x)))
            x = tap(self, f"pool{number}", max_pool(x))
        x = nn.Dense(128, precision="highest", name="dense1")(x.reshape(len(x), -1))
        x = tap(self, "dense1", nn.relu(x))
        x = nn.Dense(self.classes, precision="highest", name="logits")(x)
        return tap(self, "logits", x)


def initial_params(network: nn.Module, seed: int, image_shape: tuple[int, int]) -> dict:
    """Returns random parameters {layer: {"kernel", "bias"}} for images of that shape."""
    return draw_params(network, jax.random.key(seed), tuple(image_shape))


@functools.partial(jax.jit, static_argnames=("network", "image_shape"))
def draw_params(network, key, image_shape):
    return network.init(key, jnp.zeros((1, *image_shape)))["params"]


def logits_function(network: nn.Module, params: dict):
    """Returns the function pixels [N, H, W] -> logits [N, classes] that attacks take."""

    def logits_fn(pixels_NHW):
        return network.apply({"params": params}, pixels_NHW)

    return logits_fn


def site_widths(network: nn.Module, image_shape: tuple[int, int]) -> dict[str, int]:
    """Returns {site: nodes} of a network for images of that shape; nothing is run."""
    image = jax.ShapeDtypeStruct((1, *image_shape), jnp.float32)

    def sown(key, pixels_NHW):
        params = network.init(key, pixels_NHW)["params"]
        return network.apply({"params": params}, pixels_NHW, mutable=network.sites)[1]

    shapes = jax.eval_shape(sown, jax.random.key(0), image)
    return {site: shapes[site]["kept"].shape[1] for site in network.sites}


def activations(network: nn.Module, params: dict, pixels_NHW, sites, batch: int = BATCH) -> dict:
    """Returns {site: [N, nodes] float32}, batch by batch; one shape is compiled.

    Raises InputError for a site that the network does not have, for no images, and for activations
    that are NaN or infinite.
    """
    sites = tuple(sites)
    for site in sites:
        if site not in network.sites:
            raise InputError(f"site {site!r} is unknown; known: {', '.join(network.sites)}")
    widths = site_widths(network, pixels_NHW.shape[1:])
    arrays = {site: np.empty((len(pixels_NHW), widths[site]), np.float32) for site in sites}
    for rows, padded_NHW in padded_batches(pixels_NHW, batch):
        sown = sown_sites(network, params, padded_NHW, sites)
        for site in sites:
            arrays[site][rows] = sown[site]["kept"][: rows.stop - rows.start]
            if not np.isfinite(arrays[site][rows]).all():
                raise InputError(
                    f"an activation at {site} is not finite; check the images and the parameters"
                )
    return arrays


@functools.partial(jax.jit, static_argnames=("network", "sites"))
def sown_sites(network, params, pixels_NHW, sites):
    return network.apply({"params": params}, pixels_NHW, mutable=sites)[1]


def outputs(network: nn.Module, params: dict, pixels_NHW, batch: int = BATCH) -> np.ndarray:
    """Returns logits, or reconstructions, of all images. Raises InputError if there are none."""
    return np.concatenate(
        [
            np.asarray(output(network, params, padded_NHW))[: rows.stop - rows.start]
            for rows, padded_NHW in padded_batches(pixels_NHW, batch)
        ]
    )


@functools.partial(jax.jit, static_argnames="network")
def output(network, params, pixels_NHW):
    return network.apply({"params": params}, pixels_NHW)


def padded_batches(pixels_NHW, batch: int):
    """Yields (rows, their images) batch by batch; the last is filled up with its last image.

    Fewer images than a batch are one batch of their own size.
    """
    total = len(pixels_NHW)
    if not total:
        raise InputError("there are no images")
    batch = min(batch, total)
    for number in range(math.ceil(total / batch)):
        rows = slice(number * batch, min((number + 1) * batch, total))
        missing = batch - (rows.stop - rows.start)
        filled = np.pad(pixels_NHW[rows], ((0, missing), (0, 0), (0, 0)), mode="edge")
        yield rows, filled.astype(np.float32)

"""The convolutional autoencoder of Cintas et al. (IJCAI 2020, 122), in Flax Linen."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from personascan.errors import InputError
from personascan.models.image import max_pool, tap

AUTOENCODER_SITES = (
    "conv1", "pool1", "conv2", "pool2", "conv3", "pool3",
    "conv4", "up1", "conv5", "up2", "conv6", "up3", "conv7", "error",
)  # fmt: skip
CLIP = 1e-7  # of a reconstruction before its logarithm, as in Keras


class Autoencoder(nn.Module):
    """Convolutions and pools, then convolutions and upsampling back to the image.

    conv 16 - pool - conv 8 - pool - conv 8 - pool | conv 8 - up - conv 8 - up - conv 16 - up -
    conv 1; 3 x 3 kernels, ReLU, a sigmoid at the end.

    conv6 is "valid" along an axis of length 4, 12, 20, 28, ..., where pools round up, and "same"
    along one of 8, 16, 24, 32, ...; all others are "same". So the output has the input's shape.
    """

    sites = AUTOENCODER_SITES

    @nn.compact
    def __call__(self, pixels_NHW):
        """Returns reconstructions [N, H, W] in (0, 1).

        Raises InputError if a side is not divisible by 4.
        """
        image_shape = pixels_NHW.shape[1:]
        if any(side % 4 for side in image_shape):
            raise InputError(
                f"the autoencoder takes images with sides divisible by 4, not {image_shape}"
            )
        edges = [(0, 0) if side % 8 else (1, 1) for side in image_shape]

        def conv(number, channels, x, padding="SAME", activation=nn.relu):
            layer = nn.Conv(
                channels, (3, 3), padding=padding, precision="highest", name=f"conv{number}"
            )
            return tap(self, f"conv{number}", activation(layer(x)))

        x = pixels_NHW[..., None]
        for number, channels in ((1, 16), (2, 8), (3, 8)):
            x = tap(self, f"pool{number}", max_pool(conv(number, channels, x)))
        for number, channels, padding in ((1, 8, "SAME"), (2, 8, "SAME"), (3, 16, edges)):
            x = tap(self, f"up{number}", upsample(conv(number + 3, channels, x, padding)))
        reconstructions_NHW = conv(7, 1, x, activation=nn.sigmoid)[..., 0]
        tap(self, "error", cross_entropy(pixels_NHW, reconstructions_NHW))
        return reconstructions_NHW


def upsample(x_NHWC):
    """Repeats each pixel four times: nearest-neighbour upsampling to 2 H x 2 W."""
    return x_NHWC.repeat(2, axis=1).repeat(2, axis=2)


def cross_entropy(pixels_NHW, reconstructions_NHW):
    """Returns -[x log r + (1 - x) log(1 - r)] of pixels x and reconstructions r: [N, H, W].

    The reconstruction-error space of Cintas et al.; r is clipped to [1e-7, 1 - 1e-7], as
    Keras' binary_crossentropy does.
    """
    clip = np.float32(CLIP)
    r = jnp.clip(reconstructions_NHW, clip, 1 - clip)
    return -(pixels_NHW * jnp.log(r) + (1 - pixels_NHW) * jnp.log(1 - r))

"""The image networks in torch, with the weights of ours."""

import numpy as np
import torch
from torch.nn import functional


class TorchNetwork(torch.nn.Module):
    """Layers named as in the parameters, applied to pixels [N, 1, H, W]."""

    def __init__(self, params):
        super().__init__()
        for name, layer in params.items():
            kernel, bias = (torch.tensor(np.array(layer[part])) for part in ("kernel", "bias"))
            kernel = kernel.permute(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T
            self.register_buffer(f"{name}_weight", kernel.contiguous())
            self.register_buffer(f"{name}_bias", bias)

    def conv(self, name, x, padding=1):
        return functional.conv2d(
            x, getattr(self, f"{name}_weight"), getattr(self, f"{name}_bias"), padding=padding
        )

    def dense(self, name, x):
        return functional.linear(x, getattr(self, f"{name}_weight"), getattr(self, f"{name}_bias"))


class TorchClassifier(TorchNetwork):
    """Logits [N, classes]."""

    def forward(self, x):
        x = x.float()  # what ART interpolates is float64
        for name in ("conv1", "conv2"):
            x = functional.max_pool2d(functional.relu(self.conv(name, x)), 2)
        x = functional.relu(self.dense("dense1", x.permute(0, 2, 3, 1).flatten(1)))
        return self.dense("logits", x)


class TorchAutoencoder(TorchNetwork):
    """Reconstructions [N, 1, H, W]; `valid` says whether conv6 has no edge."""

    def __init__(self, params, valid):
        super().__init__(params)
        self.valid = valid

    def forward(self, x):
        for name in ("conv1", "conv2", "conv3"):
            x = functional.relu(self.conv(name, x))
            x = functional.max_pool2d(x, 2, ceil_mode=True)
        for name in ("conv4", "conv5", "conv6"):
            x = functional.relu(
                self.conv(name, x, padding=0 if name == "conv6" and self.valid else 1)
            )
            x = functional.interpolate(x, scale_factor=2, mode="nearest")
        return torch.sigmoid(self.conv("conv7", x))

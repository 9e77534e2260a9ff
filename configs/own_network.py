"""Blurred digits in a PyTorch network of our own: where do they look unusual?

python scripts/study.py --config=configs/own_network.py
"""

import torch
from ml_collections import ConfigDict
from sklearn.datasets import load_digits
from torch.nn import AvgPool2d, Linear, ReLU, Sequential

import personascan


def get_config():
    torch.manual_seed(0)  # the same rows each time, so that a study of them goes on
    pixels, labels = map(torch.tensor, load_digits(return_X_y=True))
    pixels = pixels.float() / 16
    network = Sequential(Linear(64, 96), ReLU(), Linear(96, 48), ReLU(), Linear(48, 10))
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(100):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(pixels[:900]), labels[:900]).backward()
        optimizer.step()
    rows, blurred = pixels[900:], torch.arange(897) >= 600
    rows[600:] = AvgPool2d(3, 1, 1)(rows[600:].reshape(-1, 8, 8)).reshape(-1, 64)
    places = {}
    for name, layer in network.named_children():
        rows = places[f"layer {name}"] = layer(rows).detach()
    folder = personascan.write_rows("out/digits_rows", places, blurred.numpy(), groups="blurred")
    return ConfigDict(personascan.recipe(rows=(folder,), out="out/own_network"))

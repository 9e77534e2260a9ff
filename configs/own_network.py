"""Blurred digits in a PyTorch network of our own: where do they look unusual?"""

import torch
from ml_collections import ConfigDict
from sklearn.datasets import load_digits

import personascan


def get_config():
    pixels, labels = load_digits(return_X_y=True)
    x, y = torch.tensor(pixels / 16).float(), torch.tensor(labels)
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Linear(64, 96),
        torch.nn.ReLU(),
        torch.nn.Linear(96, 48),
        torch.nn.ReLU(),
        torch.nn.Linear(48, 10),
    )
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(100):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(x[:900]), y[:900]).backward()
        optimizer.step()

    rows, blurred = x[900:].clone(), torch.arange(897) >= 600
    rows[blurred] = torch.nn.AvgPool2d(3, 1, 1)(rows[blurred].reshape(-1, 8, 8)).reshape(-1, 64)
    places, at = {}, rows
    with torch.no_grad():
        for name, layer in network.named_children():
            at = places[f"layer {name}"] = layer(at)
    folder = personascan.write_rows("out/digits_rows", places, blurred.numpy(), groups="blurred")
    return ConfigDict(personascan.recipe(rows=(folder,), out="out/digits"))

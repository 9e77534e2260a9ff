"""Experts that a checkpoint keeps stacked, as Transformers 5 holds them in memory.

`save_pretrained(folder, save_original_format=False)` writes one tensor [E, 2F, D] of gates and
ups, one [E, D, F] of downs, and a router that has another name than usual in some families.
"""

import functools
import re

import numpy as np

from personascan.errors import InputError
from personascan.models.checkpoint import Tensors
from personascan.models.config import DecoderConfig

EXPERTS = re.compile(
    r"(?P<block>.*\.(?P<layer>\d+))\.(?P<mlp>\w+)\.experts\.(?P<module>gate_up_proj|down_proj)"
)
PARTS = {"gate_up_proj": ("gate", "up"), "down_proj": ("down",)}
ROUTERS = ("gate", "router")


def unstack(tensors: Tensors, table: dict, config: DecoderConfig, where: str) -> Tensors:
    """Returns the tensors under the names of a family's table, stacked experts one by one.

    Reading a tensor raises InputError if it does not hold as many experts as the configuration.
    """
    matches = [match for name in tensors.names if (match := EXPERTS.fullmatch(name))]
    if not config.experts or not matches:
        return tensors
    real = {}  # our name: (theirs, how it is read)

    def one_expert(name: str, expert: int, part: str) -> np.ndarray:
        w = tensors.read(name)
        if w.ndim != 3 or len(w) != config.experts or (part != "down" and w.shape[1] % 2):
            raise InputError(f"{where}: {name} has shape {w.shape}, not {config.experts} experts")
        half = w.shape[1] // 2
        rows = {"gate": slice(half), "up": slice(half, None), "down": slice(None)}[part]
        return w[expert, rows]

    for match in matches:
        name, layer = match[0], match["layer"]
        for part in PARTS[match["module"]]:
            template = table[f"blocks/{part}"][0]
            if "{expert}" not in template:
                real[template.format(layer=layer)] = name, functools.partial(tensors.read, name)
                continue
            for expert in range(config.experts):
                read = functools.partial(one_expert, name, expert, part)
                real[template.format(layer=layer, expert=expert)] = name, read
        for router in ROUTERS:
            name = f"{match['block']}.{match['mlp']}.{router}.weight"
            if name in tensors.names:
                ours = table["blocks/router"][0].format(layer=layer)
                real[ours] = name, functools.partial(tensors.read, name)
    names = (tensors.names - {theirs for theirs, _ in real.values()}) | real.keys()
    return Tensors(names, lambda name: real[name][1]() if name in real else tensors.read(name))

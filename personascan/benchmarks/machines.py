"""What the published study would take on machines that are not at hand: computed, not measured.

One model, 14 personas x 600 statements, all three levels, every block and the final norm at the
last token: the recipe configs/paper.py for one model. Extraction by its FLOPs at an assumed share
of a device's published peak; scans by the bytes of threshold planes that a search passes over at an
assumed share of its published bandwidth, or on CPU cores by what a search takes here.
"""

import dataclasses
import time
from dataclasses import dataclass

import numpy as np

from personascan.benchmarks.device_shapes import SHAPES
from personascan.calibration.labellings import draw_labellings
from personascan.calibration.null import null_scores
from personascan.models.config import DecoderConfig, Rope
from personascan.scan.options import ScanOptions
from personascan.scan.splits import SplitPlan

LLAMA_70B = dataclasses.replace(
    SHAPES["llama-8b"], layers=80, width=8192, heads=64, mlp_width=28672,
    ropes=(Rope(dim=128, theta=500000.0, original_positions=8192),), rope_of_layer=(0,) * 80,
)  # fmt: skip
MODELS = {"Llama-3-8B": SHAPES["llama-8b"], "Llama-3-70B": LLAMA_70B}

PERSONAS, STATEMENTS, TOKENS = 14, 600, 45  # statements of a persona, tokens of one in its template
CASES = 14 + 14 + 3  # comparisons of levels 2, 1 and 0
RUNS = SplitPlan(background=100, clean=40, positive=40, runs=100)
PERMUTATIONS, STATISTIC_RUNS = 200, 10
ALPHAS, PASSES = 60, 10  # of the statistic; passes over all planes of a search, about
HALVES = 2  # the whole, and two halves of half the work each
LOCALISATIONS = 2  # four of half the rows, a comparison


@dataclass(frozen=True)
class Machine:
    """Devices of one kind, with published figures and the share of them that is assumed."""

    name: str
    devices: int
    flops: float  # a device's peak in bfloat16
    bandwidth: float  # bytes a second, a device's; 0: scans run on `cores`
    memory: float  # bytes of a device
    cores: int = 0


MACHINES = (
    Machine("one H100 (80 GB)", 1, 989e12, 3.35e12, 80e9),
    Machine("8 H100", 8, 989e12, 3.35e12, 80e9),
    Machine("TPU v5e slice, 16 chips", 16, 197e12, 0.82e12, 16e9),
    Machine("16 Dask workers, 4 cores each", 16, 0.25e12, 0, 64e9, cores=64),
)
SHARE_OF_FLOPS, SHARE_OF_BANDWIDTH = 0.4, 0.3


def parameters(config: DecoderConfig) -> int:
    """Weights of all blocks and the embedding."""
    block = sum(int(np.prod(shape)) for shape in config.block_shapes().values())
    return config.layers * block + 2 * config.vocab_size * config.width


def extraction_flops(config: DecoderConfig) -> float:
    """Two for each weight of the blocks and token."""
    block = sum(int(np.prod(shape)) for shape in config.block_shapes().values())
    return 2.0 * config.layers * block * PERSONAS * STATEMENTS * TOKENS


def searches(config: DecoderConfig) -> float:
    """Searches of all calibrations and node nulls, in searches of whole samples."""
    places = config.layers + 1
    null = HALVES * (PERMUTATIONS + 1) * STATISTIC_RUNS * places * CASES
    return null + LOCALISATIONS * (PERMUTATIONS + 1) * RUNS.runs * CASES


def plane_bytes(config: DecoderConfig) -> float:
    """What a search passes over: signed planes of its rows, at all alphas, a few times."""
    rows = RUNS.clean + RUNS.positive
    return PASSES * ALPHAS * rows * 2 * config.width / 8


def core_seconds(width: int, labellings: int = 19) -> float:
    """Seconds of one search of the statistic on the devices of this machine, times their number."""
    import jax

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(STATEMENTS, width)).astype(np.float32)
    drawn = draw_labellings(np.arange(STATEMENTS) % 2 == 0, RUNS, labellings, 0)
    options = ScanOptions(alphas="log", starts=1)
    null_scores(rows, drawn, STATISTIC_RUNS, options)
    began = time.perf_counter()
    null_scores(rows, drawn, STATISTIC_RUNS, options)
    done = (labellings + 1) * STATISTIC_RUNS
    return (time.perf_counter() - began) / done * jax.local_device_count()


def stored_bytes(config: DecoderConfig) -> float:
    """Activations of every place."""
    return 4.0 * PERSONAS * STATEMENTS * (config.layers + 1) * config.width


def computed(seconds_of_width: dict[int, float]):
    """A record for each model and machine; times in seconds, None where the model does not fit."""
    for model, config in MODELS.items():
        held = 2 * parameters(config)  # bfloat16
        for machine in MACHINES:
            fits = held < 0.9 * machine.memory * machine.devices
            extraction = extraction_flops(config) / (
                SHARE_OF_FLOPS * machine.flops * machine.devices
            )
            if machine.bandwidth:
                rate = SHARE_OF_BANDWIDTH * machine.bandwidth * machine.devices
                scans = searches(config) * plane_bytes(config) / rate
            else:
                scans = searches(config) * seconds_of_width[config.width] / machine.cores
            yield {
                "model": model, "machine": machine.name,
                "extraction_s": extraction if fits else None, "scans_s": scans,
                "activations_bytes": stored_bytes(config), "parameters_bytes": held,
                "place_bytes": 4 * STATEMENTS * config.width,
            }  # fmt: skip

"""What the published study would take on machines that are not at hand: computed, not measured.

One model, 14 personas x 600 statements, all three levels, every block and the final norm at the
last token: the recipe configs/smollm2_paper.py for one model. Extraction by its FLOPs at an assumed
share of a device's published peak, labelled tests by theirs at a share of its float32 peak; scans
by the bytes of threshold planes that a search passes over at an assumed share of its published
bandwidth, or on CPU cores by what both take here.
"""

import dataclasses
import os
import time
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.device_shapes import SHAPES
from personascan.calibration.label_exchange import draw_exchanges, exchange_of
from personascan.calibration.locate import ALWAYS
from personascan.calibration.statistics import LabelContrasts, place_statistics
from personascan.models.config import DecoderConfig, Rope
from personascan.scan.options import ScanOptions
from personascan.scan.runs import scan_pool
from personascan.scan.samples import SampleOptions, draw_samples

LLAMA_70B = dataclasses.replace(
    SHAPES["llama-8b"], layers=80, width=8192, heads=64, mlp_width=28672,
    ropes=(Rope(dim=128, theta=500000.0, original_positions=8192),), rope_of_layer=(0,) * 80,
)  # fmt: skip
MODELS = {"Llama-3-8B": SHAPES["llama-8b"], "Llama-3-70B": LLAMA_70B}

PERSONAS, STATEMENTS, TOKENS = 14, 600, 45  # statements of a persona, tokens of one in its template
CASES = 14 + 14 + 3  # comparisons of levels 2, 1 and 0
RUNS = SampleOptions(background=100, clean=40, positive=40, runs=100)
PERMUTATIONS, FOLDS, FOLD_PERMUTATIONS = 999, 5, 199
ALPHAS, STARTS, PASSES = 70, 10, 10  # of a scan; passes over all planes of a search, about
HALVES = 2  # the whole, and two halves of half the work each
LOCALISATIONS = 2  # of a comparison: one named place, and two halves


@dataclass(frozen=True)
class Machine:
    """Devices of one kind, with published figures and the share of them that is assumed."""

    name: str
    devices: int
    flops: float  # a device's peak in bfloat16
    bandwidth: float  # bytes a second, a device's; 0: scans run on `cores`
    memory: float  # bytes of a device
    cores: int = 0
    single: float = 0.0  # peak in float32 of its plain units


MACHINES = (
    Machine("one H100 (80 GB)", 1, 989e12, 3.35e12, 80e9, single=67e12),
    Machine("8 H100", 8, 989e12, 3.35e12, 80e9, single=67e12),
    Machine("TPU v5e slice, 16 chips", 16, 197e12, 0.82e12, 16e9, single=197e12 / 6),
    Machine("16 Dask workers, 4 cores each", 16, 0.25e12, 0, 64e9, cores=64),
)
SHARE_OF_FLOPS, SHARE_OF_BANDWIDTH, SHARE_OF_SINGLE = 0.4, 0.3, 0.3


def parameters(config: DecoderConfig) -> int:
    """Weights of all blocks and the embedding."""
    block = sum(int(np.prod(shape)) for shape in config.block_shapes().values())
    return config.layers * block + 2 * config.vocab_size * config.width


def extraction_flops(config: DecoderConfig) -> float:
    """Two for each weight of the blocks and token."""
    block = sum(int(np.prod(shape)) for shape in config.block_shapes().values())
    return 2.0 * config.layers * block * PERSONAS * STATEMENTS * TOKENS


def tests(config: DecoderConfig) -> float:
    """Labellings x places of whole comparisons that labelled tests take."""
    each = HALVES * (PERMUTATIONS + 1) + FOLDS * (FOLD_PERMUTATIONS + 1)
    return each * (config.layers + 1) * CASES


def test_flops(config: DecoderConfig) -> float:
    """Of a labelling at a place: its correlations, and its share of the factor's solution."""
    return 2.0 * STATEMENTS * config.width + 2.0 * STATEMENTS**2


def searches() -> float:
    """Searches of the published scan at chosen and named places."""
    return float(LOCALISATIONS * RUNS.runs * STARTS * CASES)


def plane_bytes(config: DecoderConfig) -> float:
    """What a search passes over: signed planes of its rows, at all alphas, a few times."""
    rows = RUNS.clean + RUNS.positive
    return PASSES * ALPHAS * rows * 2 * config.width / 8


def core_seconds(width: int, labellings: int = PERMUTATIONS) -> tuple[float, float]:
    """Core seconds here of a labelling at a place, and of a search of one start."""
    import jax

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(STATEMENTS, width)).astype(np.float32)
    positive_N, cores = np.arange(STATEMENTS) % 2 == 0, os.cpu_count()
    labels = LabelContrasts(
        exchange_of(positive_N), draw_exchanges(exchange_of(positive_N), labellings, 0)
    )
    tested = timed(lambda: place_statistics("rows", rows, labels, ALWAYS))
    masks = draw_samples(positive_N, replace(RUNS, runs=4 * jax.local_device_count()), 0)
    scanned = timed(lambda: scan_pool(rows, *masks, ScanOptions(starts=1)))
    return tested / (labellings + 1) * cores, scanned / len(masks[0]) * jax.local_device_count()


def timed(function) -> float:
    """Seconds of a second call: the first one compiles."""
    function()
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def stored_bytes(config: DecoderConfig) -> float:
    """Activations of every place."""
    return 4.0 * PERSONAS * STATEMENTS * (config.layers + 1) * config.width


def computed(seconds_of_width: dict[int, tuple[float, float]]):
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
                scans = searches() * plane_bytes(config) / rate
                single = SHARE_OF_SINGLE * machine.single * machine.devices
                located = tests(config) * test_flops(config) / single
            else:
                test_seconds, search_seconds = seconds_of_width[config.width]
                scans = searches() * search_seconds / machine.cores
                located = tests(config) * test_seconds / machine.cores
            yield {
                "model": model, "machine": machine.name,
                "extraction_s": extraction if fits else None, "where_s": located,
                "scans_s": scans,
                "activations_bytes": stored_bytes(config), "parameters_bytes": held,
                "place_bytes": 4 * STATEMENTS * config.width,
            }  # fmt: skip

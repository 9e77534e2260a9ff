"""models x personas x layers -> a results folder. The only module that knows both halves."""

import hashlib
import importlib.metadata
import os
import platform
from dataclasses import dataclass

import jax
import numpy as np
from tqdm import tqdm

from personascan.activations.extract import extract
from personascan.analysis.detection import bag_of_words_accuracy, precision_recall
from personascan.analysis.nodes import Overlap, overlaps, selection_frequency
from personascan.analysis.separation import (
    Separation,
    layer_separation,
    principal_components,
    sample_sizes,
)
from personascan.comparisons import Comparison, comparisons, pool_rows
from personascan.errors import InputError
from personascan.hashes import file_sha256, text_sha256
from personascan.memory import refuse_too_much
from personascan.models.load import LanguageModel, load_model
from personascan.plan import ExtractionPlan, plan_extraction
from personascan.prompts import effective
from personascan.report.folder import refuse_other_study, study_folder, write_study
from personascan.scan.calibrate import Calibration, calibrate, calibration_bytes
from personascan.scan.levels import level_tables, unattainable
from personascan.scan.result import RunScans
from personascan.scan.runs import scan_runs
from personascan.scan.scores import score_function
from personascan.scan.splits import check_sizes, draw_splits
from personascan.sharding import parse_mesh
from personascan.statements import Statement, load_statements, statement_files
from personascan.study_config import StudyConfig
from personascan.templates import choose_template
from personascan.workers import WORKER_BYTES, in_processes

SITES = ("resid_post", "final_norm")
# A layer in a worker: as float32, and a few copies as float64 in PCA and the probe.
SEPARATION_BYTES = 4 + 5 * 8
ID_SEPARATOR = ";"
SEPARATED_ALONE = 40  # layers
PACKAGES = (
    "personascan", "jax", "jaxlib", "flax", "numpy", "scikit-learn", "scipy", "transformers",
    "tokenizers", "jinja2", "gguf",
)  # fmt: skip


@dataclass(frozen=True)
class LayerScan:
    """The runs of one comparison at one layer."""

    layer: str
    runs: RunScans  # L = 1; rows over the comparison's pool
    precision_R: np.ndarray  # NaN where a run returned nothing
    recall_R: np.ndarray
    frequency_D: np.ndarray  # selection frequency
    node_set_D: np.ndarray  # frequency >= threshold
    pool_ids: list[str]  # statement ids of the pool, in the order of `runs.rows`
    calibration: Calibration | None  # of this layer's nodes; frequency and node set are then its


@dataclass(frozen=True)
class Projection:
    """One layer of one comparison in its first two principal components."""

    layer: str
    points_N2: np.ndarray
    positive_N: np.ndarray
    share_2: np.ndarray  # share of variance of each component


@dataclass(frozen=True)
class Study:
    """Everything a study found. Dictionaries are keyed by the name of the comparison."""

    config: StudyConfig
    comparisons: list[Comparison]
    layer_names: list[str]
    best_layer: str  # highest mean probe AUROC over comparisons
    pool_sizes: dict[str, tuple[int, int]]  # statements of H1 and H0
    wording: dict[str, tuple[float, float]]  # bag-of-words held-out accuracy, mean and deviation
    separation: dict[str, list[Separation]]  # one for each layer
    projections: dict[str, list[Projection]]  # an early, a middle and the best layer
    scans: dict[str, list[LayerScan]]  # one for each scanned layer
    calibrations: dict[str, Calibration]  # of the scores of every layer; empty without permutations
    overlaps: dict[str, list[Overlap]]  # by scanned layer
    provenance: dict  # versions, platform, hashes of the inputs

    def scanned_layers(self) -> list[str]:
        """The layers that were scanned, in the order asked for."""
        return list(self.overlaps)


def run_study(config) -> Study:
    """Run a study and write its folder.

    Args:
      config: a StudyConfig, or a recipe (ml_collections ConfigDict or nested dicts) of its fields.

    Returns:
      Study. The folder `config.out` then holds study.json, layers.csv, runs.csv, nodes.csv,
      overlaps.csv, figures and report.md; it appears whole or not at all.

    Raises:
      InputError: any field, file, persona, model or sample size at fault, and a folder that holds
        a study with another configuration.
    """
    if not isinstance(config, StudyConfig):
        config = StudyConfig.from_dict(config.to_dict() if hasattr(config, "to_dict") else config)
    with study_folder(config) as folder:
        found = study_results(config)
        write_study(found, folder)
    return found


def study_results(config: StudyConfig) -> Study:
    """Everything that a study finds."""
    statements = study_statements(config)
    topic_of = {s.persona: s.topic for s in statements}
    compared = comparisons(config.level, topic_of)
    pools = {c.name: pool_rows(statements, c) for c in compared}
    refuse_impossible(config, pools)
    model = load_model(config.model, dtype=config.dtype, mesh=parse_mesh(config.mesh))
    layer_names = [f"resid_post {i}" for i in range(model.config.layers)] + ["final_norm"]
    for layer in config.scan.layers:
        if layer not in ("best", *layer_names):
            raise InputError(
                f"config.scan.layers names {layer!r}; this model has resid_post 0 to "
                f"resid_post {model.config.layers - 1}, final_norm, and best"
            )
    inputs = provenance(config, model)
    refuse_other_study(config, inputs["sha256"])
    keywords = config.extraction_keywords()
    kept = extract(model, statements, sites=SITES, **keywords)
    (position,) = keywords["positions"]
    layers_LND = np.concatenate([kept.arrays[site, position] for site in SITES])

    wording = {}
    for name, (rows, positive_N) in pools.items():
        texts = [statements[i].text for i in rows]
        wording[name] = bag_of_words_accuracy(texts, positive_N, seed=seed_of(config.seed, name))
    separation = separate_layers(config, layers_LND, pools)
    best = best_layer(separation)
    chosen = {
        best if layer == "best" else layer_names.index(layer): None for layer in config.scan.layers
    }

    calibrations = {}
    if config.scan.permutations:
        say_calibration(config, layers_LND, pools)
        for name, (rows, positive_N) in tqdm(
            pools.items(), desc="calibration", unit=" comparisons"
        ):
            pool = [layer_ND[rows] for layer_ND in layers_LND]
            calibrations[name] = calibrate_pool(config, name, pool, positive_N, layer=-1)
    scans = {
        name: scan_pool(config, name, layers_LND, list(chosen), layer_names, statements, *pool)
        for name, pool in tqdm(pools.items(), desc="scans", unit=" comparisons")
    }
    return Study(
        config=config,
        comparisons=compared,
        layer_names=layer_names,
        best_layer=layer_names[best],
        pool_sizes={n: (int(p.sum()), int((~p).sum())) for n, (_, p) in pools.items()},
        wording=wording,
        separation=separation,
        projections={
            name: project(layers_LND, layer_names, early_middle_best(len(layer_names), best), *pool)
            for name, pool in pools.items()
        },
        scans=scans,
        calibrations=calibrations,
        overlaps={
            layer_names[layer]: layer_overlaps(config, {n: scans[n][i] for n in scans})
            for i, layer in enumerate(chosen)
        },
        provenance=inputs,
    )


def plan_study(config) -> ExtractionPlan:
    """What a study's extraction will take, before its model is loaded; errors as `run_study`."""
    if not isinstance(config, StudyConfig):
        config = StudyConfig.from_dict(config.to_dict() if hasattr(config, "to_dict") else config)
    return plan_extraction(
        config.model,
        study_statements(config),
        sites=SITES,
        dtype=config.dtype,
        **config.extraction_keywords(),
    )


def refuse_impossible(config: StudyConfig, pools: dict) -> None:
    """What can be known to fail fails before the model is loaded."""
    keywords = config.scan.keywords()
    score_function(keywords["score"])
    alpha_keywords = {k: keywords[k] for k in ("tail", "alpha_max", "alpha_min", "alphas")}
    level_tables(np.array([[config.runs.background]]), **alpha_keywords)
    if note := unattainable(config.runs.background, **alpha_keywords):
        raise InputError(note)
    for name, (_, positive_N) in pools.items():
        h1, h0 = int(positive_N.sum()), int((~positive_N).sum())
        try:
            check_sizes(h0, h1, config.runs)
            sample_sizes(h1, h0, config.separation)
        except InputError as error:
            raise InputError(f"{name}: {error}") from error


def study_statements(config: StudyConfig) -> list[Statement]:
    """The statements of the study's personas, in the order the configuration names them."""
    statements = chosen_statements(config)
    for s in statements:
        if ID_SEPARATOR in s.id:
            raise InputError(
                f"the id {s.id!r} holds {ID_SEPARATOR!r}, which separates ids in runs.csv; rename "
                "it"
            )
    return statements


def chosen_statements(config: StudyConfig) -> list[Statement]:
    chosen = {"min_confidence": config.min_confidence, "limit": config.limit}
    if not config.personas:
        return load_statements(config.statements, **chosen)
    if len(set(config.personas)) < len(config.personas):
        raise InputError(f"config.personas names one twice: {', '.join(config.personas)}")
    return [
        s for p in config.personas for s in load_statements(config.statements, persona=p, **chosen)
    ]


def say_calibration(config: StudyConfig, layers_LND, pools) -> None:
    """What the largest calibration needs; refused where there is less."""
    layers, _, nodes = layers_LND.shape
    rows = max(len(rows) for rows, _ in pools.values())
    keywords = config.scan.keywords() | dict(permutations=config.scan.permutations)
    needed = calibration_bytes((rows, nodes), layers, config.runs, **keywords)
    fewer = "use fewer scan.permutations, runs.runs or scan.starts"
    refuse_too_much("calibration", needed, fewer, say=True)


def separate_layers(config: StudyConfig, layers_LND, pools) -> dict[str, list[Separation]]:
    """Every layer of every comparison, in as many processes as there are cores."""
    calls = [
        (layer_ND[rows], positive_N, config.separation, seed_of(config.seed, name))
        for name, (rows, positive_N) in pools.items()
        for layer_ND in layers_LND
    ]
    # Few layers are done sooner than processes are started.
    processes = os.cpu_count() if len(calls) > SEPARATED_ALONE else 1
    rows = max(len(rows) for rows, _ in pools.values())
    needed = processes * rows * layers_LND.shape[2] * SEPARATION_BYTES
    needed += WORKER_BYTES * processes if processes > 1 else 0
    refuse_too_much("separation", needed, "use fewer statements (limit)", say=True)
    found = in_processes(layer_separation, calls, processes, "separation", "layers")
    layers = len(layers_LND)
    return {name: found[i * layers : (i + 1) * layers] for i, name in enumerate(pools)}


def seed_of(seed: int, name: str) -> int:
    """A seed for each comparison, which does not change when others come or go."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:4]) >> 1


def best_layer(separation: dict[str, list[Separation]]) -> int:
    """The layer with the highest probe AUROC, averaged over comparisons; the first of equals."""
    auroc = [[s.mean["probe_auroc"] for s in layers] for layers in separation.values()]
    mean_L = np.mean(auroc, axis=0)
    if np.isnan(mean_L).all():
        raise InputError("every layer is constant over the statements: there is nothing to scan")
    return int(np.nanargmax(mean_L))


def early_middle_best(layers: int, best: int) -> list[int]:
    return [min(1, layers - 1), layers // 2, best]


def project(layers_LND, layer_names, chosen, rows, positive_N) -> list[Projection]:
    """The pool in two principal components, at each chosen layer."""
    return [
        Projection(layer_names[i], points, positive_N, share)
        for i in chosen
        for points, share in [principal_components(layers_LND[i, rows], 2)]
    ]


def scan_pool(
    config: StudyConfig, name, layers_LND, chosen, layer_names, statements, rows, positive_N
) -> list[LayerScan]:
    """All runs of one comparison at the chosen layers."""
    seed = seed_of(config.seed, name)
    background_RN, evaluation_RN = draw_splits(positive_N, config.runs, seed)
    pool = [layers_LND[layer, rows] for layer in chosen]
    runs = scan_runs(pool, background_RN, evaluation_RN, seed=seed, **config.scan.keywords())
    ids = [statements[i].id for i in rows]
    found = []
    for i, layer in enumerate(chosen):
        precision_R, recall_R = precision_recall(runs.rows[i], evaluation_RN, positive_N)
        frequency_D, calibration = selection_frequency(runs.nodes[i]), None
        if config.scan.permutations:
            calibration = calibrate_pool(config, name, [pool[i]], positive_N, layer=0)
            frequency_D = calibration.frequency
        one = runs.layer(i)
        within = frequency_D >= config.threshold
        found.append(
            LayerScan(
                layer_names[layer], one, precision_R, recall_R, frequency_D, within, ids,
                calibration,
            )
        )  # fmt: skip
    return found


def calibrate_pool(config: StudyConfig, name, pool, positive_N, layer: int) -> Calibration:
    """The calibration of one comparison; the same permutations at every layer."""
    return calibrate(
        pool,
        positive_N,
        config.runs,
        permutations=config.scan.permutations,
        layer=layer,
        seed=seed_of(config.seed, name),
        **config.scan.keywords(),
    )


def layer_overlaps(config: StudyConfig, scans: dict[str, LayerScan]) -> list[Overlap]:
    """The overlaps of the node sets of one layer, with their permutation null if there is one."""
    null_sets = None
    if config.scan.permutations:
        null_sets = {n: s.calibration.null_frequency >= config.threshold for n, s in scans.items()}
    return overlaps({n: s.node_set_D for n, s in scans.items()}, null_sets)


def provenance(config: StudyConfig, model: LanguageModel) -> dict:
    """What else decides the numbers: versions, platform and the inputs' contents."""
    files = statement_files(config.statements, config.personas)
    options = effective(model.tokenizer, config.prompt_options())
    templates = model.tokenizer.chat_template
    template = "" if options.role == "none" else choose_template(templates, options.template)
    hashes = {"model": model.sha256} | {f"model/{k}": v for k, v in model.files.items()}
    hashes |= {file.name: file_sha256(file) for file in files}
    return {
        "seed": config.seed,
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in PACKAGES},
        "platform": {
            "backend": jax.default_backend(),
            "devices": jax.device_count(),
            "mesh": config.mesh,
        },
        "revision": model.revision,  # of a hub source
        "role": options.role,  # as applied: none where there is no chat template
        "sha256": hashes | {"chat template": text_sha256(template)},
    }

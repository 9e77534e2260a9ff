"""models x personas x places -> a results folder. The only module that knows both halves."""

import hashlib
import importlib.metadata
import math
import os
import platform
from dataclasses import dataclass

import jax
import numpy as np
from tqdm import tqdm

from personascan.analysis.detection import bag_of_words_accuracy
from personascan.analysis.localisation import (
    LocalisationPlan,
    PlaceScan,
    calibrate_places,
    choose_and_judge,
    scan_place,
)
from personascan.analysis.overlaps import Overlap, overlaps
from personascan.analysis.separation import (
    Separation,
    layer_separation,
    principal_components,
    sample_sizes,
)
from personascan.calibration.calibrate import Calibration, calibration_bytes
from personascan.errors import InputError
from personascan.hashes import file_sha256, text_sha256
from personascan.memory import refuse_too_much
from personascan.models.load import LanguageModel, load_model
from personascan.places import Place, PlaceRows, chosen_places, named_place
from personascan.scan.splits import check_sizes
from personascan.sharding import parse_mesh
from personascan.sources.language.extract import extract
from personascan.sources.language.plan import ExtractionPlan, plan_extraction
from personascan.sources.language.prompts import effective
from personascan.sources.language.statements import Statement, load_statements, statement_files
from personascan.sources.language.templates import choose_template
from personascan.study.comparisons import Comparison, comparisons, pool_rows
from personascan.study.config import CHOSEN, StudyConfig
from personascan.workers import WORKER_BYTES, in_processes

# A place in a worker: as float32, and a few copies as float64 in PCA and the probe.
SEPARATION_BYTES = 4 + 5 * 8
ID_SEPARATOR = ";"
SEPARATED_ALONE = 40  # places
PACKAGES = (
    "personascan", "jax", "jaxlib", "flax", "numpy", "scikit-learn", "scipy", "transformers",
    "tokenizers", "jinja2", "gguf",
)  # fmt: skip


@dataclass(frozen=True)
class Projection:
    """One place of one comparison in its first two principal components."""

    place: Place
    points_N2: np.ndarray
    positive_N: np.ndarray
    share_2: np.ndarray  # share of variance of each component


@dataclass(frozen=True)
class Study:
    """Everything a study found. Dictionaries are keyed by the name of the comparison."""

    config: StudyConfig
    comparisons: list[Comparison]
    places: list[Place]  # the family that was searched
    head_width: int  # columns of a head at the site head_out
    pool_ids: dict[str, list[str]]  # statement ids of each comparison
    pool_sizes: dict[str, tuple[int, int]]  # statements of H1 and H0
    wording: dict[str, tuple[float, float]]  # bag-of-words held-out accuracy, mean and deviation
    separation: dict[str, dict[Place, Separation]]
    projections: dict[str, list[Projection]]  # an early, a middle and the furthest place
    calibrations: dict[str, Calibration]  # over all places; empty without permutations
    scans: dict[str, list[PlaceScan]]  # the chosen places, judged apart, then the named ones
    overlaps: dict[Place, list[Overlap]]  # of the named places, which all comparisons share
    provenance: dict  # versions, platform, hashes of the inputs

    def furthest(self, name: str) -> Place:
        """The place of a comparison furthest above its permutations; without, of the best probe."""
        if name in self.calibrations:
            found = self.calibrations[name]
            return found.keys[found.best]
        auroc = {place: s.mean["probe_auroc"] for place, s in self.separation[name].items()}
        return max(auroc, key=lambda place: np.nan_to_num(auroc[place], nan=-1.0))


def study_results(config: StudyConfig, check_inputs=lambda inputs: None) -> Study:
    """Everything that a study finds; `check_inputs` sees its provenance before the work."""
    statements = study_statements(config)
    topic_of = {s.persona: s.topic for s in statements}
    compared = comparisons(config.level, topic_of)
    pools = {c.name: pool_rows(statements, c) for c in compared}
    plan = config.localisation()
    refuse_impossible(config, pools, plan)
    model = load_model(config.model, dtype=config.dtype, mesh=parse_mesh(config.mesh))
    keywords = config.extraction_keywords()
    places = chosen_places(config.sites, model.config.layers, config.layers, keywords["positions"])
    named = [
        named_place(text, places, model.config.layers)
        for text in config.scan.places
        if text != CHOSEN
    ]
    inputs = provenance(config, model)
    check_inputs(inputs)
    kept = extract(model, statements, sites=config.sites, **keywords).arrays
    activations = {name: PlaceRows(kept, places, rows) for name, (rows, _) in pools.items()}

    wording = {}
    for name, (rows, positive_N) in pools.items():
        texts = [statements[i].text for i in rows]
        wording[name] = bag_of_words_accuracy(texts, positive_N, seed=seed_of(config.seed, name))
    separation = separate_places(config, activations, pools)
    if all(s.constant for found in separation.values() for s in found.values()):
        raise InputError("every place is constant over the statements: there is nothing to scan")
    calibrations, scans = {}, {}
    say_calibration(config, activations, plan)
    for name, (rows, positive_N) in tqdm(pools.items(), desc="scans", unit=" comparisons"):
        seed, pool = seed_of(config.seed, name), activations[name]
        if plan.permutations:
            calibrations[name] = calibrate_places(pool, positive_N, plan, seed)
        scans[name] = []
        if CHOSEN in config.scan.places:
            strata = [f"{statements[i].persona}/{statements[i].positive}" for i in rows]
            scans[name] += choose_and_judge(pool, positive_N, strata, plan, seed)
        every = np.arange(len(rows))
        scans[name] += [
            scan_place(place, pool[place], positive_N, every, plan, seed) for place in named
        ]
    found = Study(
        config=config,
        comparisons=compared,
        places=places,
        head_width=model.config.head_dim,
        pool_ids={n: [statements[i].id for i in rows] for n, (rows, _) in pools.items()},
        pool_sizes={n: (int(p.sum()), int((~p).sum())) for n, (_, p) in pools.items()},
        wording=wording,
        separation=separation,
        projections={},
        calibrations=calibrations,
        scans=scans,
        overlaps={place: place_overlaps(place, scans) for place in named},
        provenance=inputs,
    )
    for name, (_, positive_N) in pools.items():
        found.projections[name] = project(activations[name], found.furthest(name), positive_N)
    return found


def plan_study(config) -> ExtractionPlan:
    """What a study's extraction will take, before its model is loaded; errors as `run_study`."""
    if not isinstance(config, StudyConfig):
        config = StudyConfig.from_dict(config.to_dict() if hasattr(config, "to_dict") else config)
    return plan_extraction(
        config.model,
        study_statements(config),
        sites=config.sites,
        dtype=config.dtype,
        **config.extraction_keywords(),
    )


def refuse_impossible(config: StudyConfig, pools: dict, plan: LocalisationPlan) -> None:
    """What can be known to fail fails before the model is loaded."""
    halved = [plan.halved()] if CHOSEN in config.scan.places else []
    for one in (plan, *halved):
        if note := plan.options.unattainable(one.runs.background):
            raise InputError(note)
    for name, (_, positive_N) in pools.items():
        h1, h0 = int(positive_N.sum()), int((~positive_N).sum())
        try:
            check_sizes(h0, h1, plan.runs)
            sample_sizes(h1, h0, config.separation)
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
        for one in halved:
            try:
                check_sizes(h0 // 2, h1 // 2, one.runs)
            except InputError as error:
                raise InputError(
                    f"{name}: of half of the statements, which choose a place, {error}"
                ) from error


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


def say_calibration(config: StudyConfig, activations: dict, plan: LocalisationPlan) -> None:
    """What the largest calibration needs; refused where there is less."""
    if not plan.permutations:
        return
    shapes = {pool.shape(place) for pool in activations.values() for place in pool}
    needed = max(
        calibration_bytes(shape, plan.runs, plan.permutations, plan.statistic_runs, plan.options)
        for shape in shapes
    )
    fewer = "use fewer scan.permutations, scan.statistic_runs or runs.runs"
    refuse_too_much("calibration", needed, fewer, say=True)


def separate_places(config: StudyConfig, activations, pools) -> dict[str, dict[Place, Separation]]:
    """Every place of every comparison, in as many processes as there are cores."""
    calls = (
        (activations[name][place], positive_N, config.separation, seed_of(config.seed, name))
        for name, (_, positive_N) in pools.items()
        for place in activations[name]
    )
    places = next(iter(activations.values())).places
    # Few places are done sooner than processes are started.
    count = len(pools) * len(places)
    processes = os.cpu_count() if count > SEPARATED_ALONE else 1
    largest = max(math.prod(pool.shape(p)) for pool in activations.values() for p in places)
    needed = processes * largest * SEPARATION_BYTES
    needed += WORKER_BYTES * processes if processes > 1 else 0
    refuse_too_much("separation", needed, "use fewer statements (limit)", say=True)
    found = iter(in_processes(layer_separation, list(calls), processes, "separation", "places"))
    return {name: {place: next(found) for place in places} for name in pools}


def seed_of(seed: int, name: str) -> int:
    """A seed for each comparison, which does not change when others come or go."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:4]) >> 1


def project(pool: PlaceRows, furthest: Place, positive_N) -> list[Projection]:
    """The pool in two principal components: early, in the middle, and at the furthest place."""
    alike = [p for p in pool if (p.site, p.position) == (furthest.site, furthest.position)]
    chosen = (alike[min(1, len(alike) - 1)], alike[len(alike) // 2], furthest)
    return [
        Projection(place, points, positive_N, share)
        for place in chosen
        for points, share in [principal_components(pool[place], 2)]
    ]


def place_overlaps(place: Place, scans: dict[str, list[PlaceScan]]) -> list[Overlap]:
    """The overlaps of the node sets of a named place, with their permutation null if any."""
    at = {n: s for n, found in scans.items() for s in found if s.place == place and not s.choice}
    nulls = {name: scan.null_nodes_TD for name, scan in at.items()}
    calibrated = all(null is not None for null in nulls.values())
    return overlaps({n: s.nodes_D for n, s in at.items()}, nulls if calibrated else None)


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

"""The direction that a finished study found, to steer with or to share."""

import importlib.metadata
import os
import pathlib

import numpy as np

from personascan.analysis.localisation import HALVES
from personascan.direction import MEAN_DIFFERENCE, Direction, unit_lengths
from personascan.errors import InputError
from personascan.interventions.directions import scale_to_norm
from personascan.interventions.edits import site_layer
from personascan.reading import read_json
from personascan.sources.language.source import Reader
from personascan.study.case import Case
from personascan.study.config import StudyConfig
from personascan.study.folder import RECORD, UNITS
from personascan.study.opening import open_study, with_answers
from personascan.study.portions import ALL
from personascan.study.stages.nodes import node_set
from personascan.study.store import Store

KINDS = ("found", "difference", "found difference")


class NoNodesError(InputError):
    """A node set is empty: there is nothing to steer along but the difference of the means."""


def found_direction(
    study: str | os.PathLike[str],
    comparison: str,
    *,
    kind: str = "found",
    half: str = "",
    place: str = "",
    nodes: int | None = None,
    model: str = "",
    level: int | None = None,
    units: str = "",
) -> tuple[Reader, Direction]:
    """Returns how to read the model of a finished study, and the direction of a comparison.

    Strength 1 is one deviation of the background at every found node, in the direction in which it
    was found; the other kinds are as long. If no nodes were found, "difference" is the difference
    of means itself.

    Args:
      study: the folder of the study, whose inputs are as they were.
      kind: "found" (the signed node set), "difference" (mean H1 less mean H0) or "found difference"
        (the same at found nodes).
      half: "A" or "B", whose rows found the nodes; "": A where halves chose a place, else all rows.
      place: one that this half or the recipe names; "": the one that the half chose.
      nodes: at most so many of the set, those selected most often; 0: all; None: as the study's
        own interventions.
      model, level: which one, where the study has several.
      units: the folder of its units, if they lie elsewhere.

    Raises:
      InputError: a folder that is no study, changed inputs, an unknown comparison, place, half or
        kind, nodes that were not found.
    """
    if kind not in KINDS:
        raise InputError(f"direction kind {kind!r} is unknown; use one of {', '.join(KINDS)}")
    case = named_case(pathlib.Path(study), comparison, model, level, units)
    portion = half or (HALVES[0] if case.halves_choose else ALL)
    if portion not in (*HALVES, ALL):
        raise InputError(f"half {half!r} is unknown; use A, B or all")
    where = named_place(case, portion, place)
    found_set = node_set(case, portion, where)
    statistics = found_set.statistics()
    most = case.config.intervention.nodes if nodes is None else nodes
    signed_D = found_set.signed(statistics, most)
    some = bool(signed_D.any())
    if not some and kind != "difference":
        raise NoNodesError(
            f"no nodes were found for {comparison!r} at {where} on {portion}; steer along the "
            'difference of the means instead: kind="difference", --kind=difference'
        )
    push_D = statistics.push(signed_D)
    if not some:
        push_D = statistics.difference_D
    elif kind != "found":
        only_D = signed_D != 0 if kind == "found difference" else np.ones(signed_D.size, bool)
        push_D = scale_to_norm(np.where(only_D, statistics.difference_D, 0), np.linalg.norm(push_D))
    lengths = unit_lengths(push_D, statistics.background_BD, statistics.difference_D)
    if some:  # also of a direction along more nodes, which is as long as the found ones
        lengths["deviation"] = float(np.linalg.norm(statistics.push(signed_D)))
    record = {
        "personascan": importlib.metadata.version("personascan"),
        "model": case.source.name, "model_sha256": case.source.identified.sha256,
        "comparison": comparison, "level": case.comparison.level, "kind": kind,
        "place": [where.site, where.layer, where.position], "half": portion,
        "nodes": int(np.count_nonzero(signed_D)), "unit": found_set.unit.key,
        "strength": "1 is one deviation of the background at every found node"
        if some else MEAN_DIFFERENCE, "lengths": lengths,
    }  # fmt: skip
    at = site_layer(where)
    direction = Direction(
        comparison, {at: push_D.astype(np.float32)}, {at: signed_D.astype(np.int8)}, record
    )
    return case.source.reader, direction


def background_rows(
    study: str | os.PathLike[str],
    comparison: str,
    *,
    half: str = "",
    place: str = "",
    model: str = "",
    level: int | None = None,
    units: str = "",
) -> dict[tuple[str, int], np.ndarray]:
    """Returns the H0 rows of the place and half of `found_direction`: {(site, layer): [B, D]}.

    Arguments and errors are those of `found_direction`; `cap` takes its thresholds from them.
    """
    case = named_case(pathlib.Path(study), comparison, model, level, units)
    portion = half or (HALVES[0] if case.halves_choose else ALL)
    if portion not in (*HALVES, ALL):
        raise InputError(f"half {half!r} is unknown; use A, B or all")
    where = named_place(case, portion, place)
    return {site_layer(where): node_set(case, portion, where).statistics().background_BD}


def named_case(folder: pathlib.Path, comparison: str, model: str, level, units: str) -> Case:
    """Returns a comparison of a finished study."""
    record = folder / RECORD
    if not record.is_file():
        raise InputError(f"{folder} holds no finished study (no {RECORD}); run one first")
    try:
        content = read_json(record)
        raw = dict(content["config"]) | {"out": str(folder), "units": units}
        inputs = content["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{record} is damaged; run the study again") from error
    config = StudyConfig.from_dict(raw)
    if not config.reads_text:
        raise InputError(f"{folder} is a study of no language model, and has nothing for texts")
    opened = open_study(config)
    if opened.provenance["sha256"] != inputs:
        raise InputError(f"the inputs of {folder} have changed since; run the study again")
    store = Store(pathlib.Path(units) if units else folder / UNITS)
    opened = with_answers(opened, store)
    cases = [
        case
        for source in opened.sources
        if model in ("", source.name)
        for one in opened.levels(source, store)
        for case in one.cases
        if level in (None, case.comparison.level)
    ]
    named = [case for case in cases if case.name == comparison]
    if not named:
        known = ", ".join(dict.fromkeys(case.name for case in cases)) or "none of that model, level"
        raise InputError(f"{comparison!r} is no comparison of {folder}; it has {known}")
    if len(named) > 1:
        raise InputError(
            f"{folder} has {comparison!r} {len(named)} times; name --model and --level of one"
        )
    return named[0]


def named_place(case: Case, portion: str, text: str):
    """Returns the place of that name, or the one that a half chose."""
    chosen = [place for finder, _, place, _ in case.choices() if finder == portion]
    known = [*chosen, *(place for one, _, place in case.tested_sets if one == portion)]
    known += case.named if portion == ALL else ()
    if not known:
        raise InputError(
            f"{case.name}: halves of the rows chose the places, and not all of them; leave the "
            "half out, or name A or B"
            if case.halves_choose
            else f"{case.name}: no place was looked at on {portion}; leave the half out"
        )
    if not text:
        return known[0]
    place = case.source.named(text)
    if place not in known:
        raise InputError(
            f"{case.name}: {portion} looked for nodes at "
            f"{'; '.join(map(str, dict.fromkeys(known)))}, not at {place}"
        )
    return place

"""Doing units of work into the store, by the cores of this machine or by a Dask cluster."""

import logging
import os
import pathlib
import time
from dataclasses import dataclass

import jax
import numpy as np
from jax.experimental import multihost_utils
from tqdm import tqdm

from personascan.bars import Bar, timed_soon
from personascan.compilations import make_room
from personascan.errors import InputError
from personascan.study.cluster import by_cluster
from personascan.study.rows import activations_unit
from personascan.study.store import Store
from personascan.study.units import Work
from personascan.workers import in_processes

journal = logging.getLogger("personascan.study")
FEW = 4  # fewer units are done sooner than processes are started


@dataclass(frozen=True)
class Workers:
    """The processes that do the units; no result depends on them."""

    jobs: int = 0  # processes of this machine; 0: one a core, or one where there is an accelerator
    scheduler: str = ""  # of a Dask cluster, such as tcp://host:8786: its workers do everything

    def __post_init__(self) -> None:
        if self.jobs < 0:
            raise InputError(f"jobs = {self.jobs}; use 0 for one a core, or a number")

    def processes(self) -> int:
        return self.jobs or (os.cpu_count() if jax.default_backend() == "cpu" else 1)


def run_works(works: list[Work], store: Store, workers: Workers, what: str) -> None:
    """Does the units that are not finished, in any order, and stores each as soon as it is done.

    Raises InputError as the units do, if a worker process was ended from outside, and if the disk
    is full.
    """
    once = {work.unit.key: work for work in works}
    missing = [work for work in once.values() if not store.whole(work.unit)]
    journal.info("%s: %d of %d units to do", what, len(missing), len(once))
    if not missing:
        return
    alone = len(missing) < FEW and not workers.scheduler
    processes = 1 if alone else min(workers.processes(), len(missing))
    missing = timed_soon(missing, [work.unit.kind for work in missing], processes)
    calls = [(store.folder, work.unit, work.function, work.arguments) for work in missing]
    kinds = [work.unit.kind for work in missing]
    began = time.perf_counter()
    in_parallel(finish, calls, processes, workers, what, "units", kinds)
    journal.info("%s: done in %.1f s", what, time.perf_counter() - began)


def in_parallel(
    function, calls: list[tuple], processes: int, workers, what: str, unit: str, kinds: list[str]
) -> None:
    """Does `function(*call)` of every call, by this process, several ones, or the cluster's.

    kinds: what takes a like time, for each call.
    """
    if workers.scheduler:
        by_cluster(function, calls, what, unit, kinds)
    elif processes > 1:
        in_processes(function, calls, processes, what, unit, kinds)
    else:
        with Bar(what, unit, kinds, 1) as bar:
            for call, kind in zip(calls, kinds, strict=True):
                began = time.perf_counter()
                function(*call)
                bar.finish(kind, time.perf_counter() - began)


def finish(folder: pathlib.Path, unit, function, arguments) -> None:
    """Does a unit and stores its result."""
    make_room()
    began = time.perf_counter()
    values, arrays = function(*arguments)
    Store(folder).write(unit, values, arrays, time.perf_counter() - began)


def extract_together(source, store: Store | None) -> None:
    """Extracts a source's activations by several processes; only the first has a store and writes.

    The first process says which rows are missing: all of them run the same batches.
    """
    every = [(g, place) for g in source.groups for place in (*source.places, *source.extra)]
    missing = np.zeros(len(every), np.int32)
    if store is not None:
        whole = [store.whole(activations_unit(source, *one)) for one in every]
        missing = 1 - np.array(whole, np.int32)
    missing = np.asarray(multihost_utils.broadcast_one_to_all(missing))
    wanted = {}
    for (group, place), is_missing in zip(every, missing, strict=True):
        if is_missing:
            wanted.setdefault(group, []).append(place)
    for group, places in wanted.items():
        if store is None:
            source.fill(group, {place: DiscardingArray() for place in places}, lambda rows: None)
        else:
            extract_group(store.folder, source, group, places)
            journal.info("%s: read %s", source.name, group)


class DiscardingArray:
    """Stands for an array that another process writes, and discards what is set."""

    def __setitem__(self, rows, values) -> None:
        pass


def run_extractions(source, store: Store, workers: Workers) -> None:
    """Extracts the activations of every group and place of a source that are not finished."""
    missing = {}
    for group in source.groups:
        wanted = (*source.places, *source.extra)
        places = [p for p in wanted if not store.whole(activations_unit(source, group, p))]
        if places:
            missing[group] = places
    journal.info("%s: %d of %d groups to read", source.name, len(missing), len(source.groups))
    if not missing:
        return
    began = time.perf_counter()
    if workers.scheduler:
        calls = [(store.folder, source, group, places) for group, places in missing.items()]
        kinds = ["group"] * len(calls)
        in_parallel(extract_group, calls, -1, workers, "activations", "groups", kinds)
    else:
        total = sum(len(source.groups[group]) for group in missing)
        with tqdm(desc="activations", total=total, unit=" rows") as bar:
            for group, places in missing.items():
                extract_group(store.folder, source, group, places, bar.update)
    journal.info("%s: read in %.1f s", source.name, time.perf_counter() - began)


def extract_group(folder, source, group: str, places, progress=lambda rows: None) -> None:
    """Writes a group's rows at places, batch by batch; all places are finished at once."""
    make_room()
    store, began = Store(folder), time.perf_counter()
    with store.drafts(*(activations_unit(source, group, place) for place in places)) as drafts:
        arrays = {
            place: draft.array("rows", source.shape(group, place))
            for place, draft in zip(places, drafts, strict=True)
        }
        source.fill(group, arrays, progress)
        for array in arrays.values():
            array.flush()
        seconds = (time.perf_counter() - began) / len(places)
        for draft in drafts:
            draft.finish({}, seconds)

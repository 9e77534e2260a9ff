"""Extraction and scans on whatever devices JAX has: steps in order of importance, within a budget.

What a step finds is one record, with units in its keys; a step that does not fit the time or memory
left is listed as skipped with the reason, and what else goes wrong as failed. Needs jax, flax and
numpy alone; torch and Transformers are measured beside where they are installed.
"""

import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import jax

from benchmarks import device_extraction as extraction
from benchmarks.device_peak import measure_products, measure_transfer
from benchmarks.device_scan import (
    Size,
    measure_calibration,
    measure_labelled,
    measure_runs,
    measure_side_by_side,
)
from benchmarks.device_shapes import SHAPES, TITLES
from personascan.bars import hidden
from personascan.errors import InputError
from personascan.models.config import DecoderConfig
from personascan.sharding import device_mesh

PARTS = ("extraction", "labelled", "scan", "calibration")
FLOAT32_TOO = ("smollm2",)
SCANS = tuple((tail, starts) for tail in ("signed", "two") for starts in (1, 10, "auto"))
SIDE_BY_SIDE = (1, 10, 100)  # searches under one vmap, on accelerators
LABELLED_SECONDS = 30
SCAN_SECONDS = 15  # of a first scan and its compiling, to plan with
CALIBRATION_SECONDS = 20  # of the fewest permutations, to plan with; the step then looks closer


@dataclass(frozen=True)
class Options:
    """What to measure, and in how many minutes."""

    shapes: tuple[str, ...] = tuple(SHAPES)
    parts: tuple[str, ...] = PARTS
    minutes: float = 8.0
    size: Size = field(default_factory=Size)
    scans: tuple[tuple, ...] = SCANS  # (tail, starts)
    configs: dict[str, DecoderConfig] = field(default_factory=lambda: SHAPES)
    matrix_rows: int | None = None  # None: as large as suits the device

    def __post_init__(self) -> None:
        for name, given, known in (
            ("shapes", self.shapes, self.configs), ("parts", self.parts, PARTS),
        ):  # fmt: skip
            for one in given:
                if one not in known:
                    raise InputError(f"{name}: {one!r} is unknown; known: {', '.join(known)}")
            if not given:
                raise InputError(f"{name} is empty; known: {', '.join(known)}")
        if not self.minutes > 0:
            raise InputError(f"minutes = {self.minutes}; use a number above 0")


@dataclass(frozen=True)
class Step:
    """One measurement: the list its record goes to, what it will take, and how to make it."""

    part: str
    what: str
    expected: Callable[[], float]  # seconds, from what has been measured by then
    work: Callable[[], dict]


class Session:
    """What has been measured so far, and the time that is left."""

    def __init__(self, options: Options):
        self.options = options
        self.began = time.perf_counter()
        self.mesh = whole_mesh()
        self.report = {"machine": machine(), "minutes": options.minutes}
        self.report |= {part: [] for part in ("products", "transfer", *PARTS, "skipped", "failed")}
        self.report["seconds"] = 0.0

    @property
    def left(self) -> float:
        """Seconds of the budget that are left."""
        return 60 * self.options.minutes - (time.perf_counter() - self.began)

    @property
    def devices(self) -> int:
        return 1 if self.mesh is None else self.mesh.size

    def rate(self, dtype: str) -> float:
        """Products in that dtype on all devices, in FLOP/s, as the models multiply.

        Those of float32 at the highest precision, which a CPU has by default.
        """
        rates = {
            p["precision"]: p["flop_per_second_all_devices"]
            for p in self.report["products"]
            if p["dtype"] == dtype
        }
        return rates.get("highest", rates["default"])

    def take(self, step: Step) -> tuple[str, dict]:
        """The list that a step's record went to, and the record."""
        part, reason = step.part, ""
        try:
            expected = step.expected()
            if expected > self.left:
                raise InputError(
                    f"would take about {expected:.0f} s of the {max(0, self.left):.0f} s left"
                )
            with hidden():
                record = step.work()
        except InputError as error:
            part, reason = "skipped", str(error)
        except Exception as error:  # what other steps find on a lent machine is not lost with it
            part = "skipped" if is_exhausted(error) else "failed"
            reason = f"{type(error).__name__}: {error}"
        if reason:
            reason = " ".join(reason.split())[:300]
            record = {"part": step.part, "what": step.what, "reason": reason}
        self.report[part].append(record)
        self.report["seconds"] = round(time.perf_counter() - self.began, 1)
        return part, record


def whole_mesh():
    """A mesh of all local devices that share out batches; None where there is one.

    The cores that scripts make into devices are none: one device of a CPU uses all cores.
    """
    devices = len(jax.local_devices())
    forced = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if devices == 1 or (jax.default_backend() == "cpu" and not forced):
        return None
    return device_mesh(data=devices)


def is_exhausted(error: Exception) -> bool:
    """Whether XLA, torch or the host found no memory."""
    words = ("RESOURCE_EXHAUSTED", "out of memory", "can't allocate memory")
    return isinstance(error, MemoryError) or any(word in str(error) for word in words)


def machine() -> dict:
    """What it was measured on."""
    device = jax.local_devices()[0]
    return {
        "platform": device.platform,
        "device_kind": device.device_kind,
        "local_devices": len(jax.local_devices()),
        "processes": jax.process_count(),
        "host": platform.machine(),
        "host_cores": os.cpu_count(),
        "jax_version": jax.__version__,
        "device_memory_limit_bytes": (device.memory_stats() or {}).get("bytes_limit"),
    }


def measure_device(options: Options) -> Iterator[tuple[str, dict, dict]]:
    """Run the steps; after each (the list its record went to, the record, the report so far).

    Raises:
      InputError: options at fault. Of the steps none: see report["skipped"] and report["failed"].
    """
    session = Session(options)
    for record in measure_products(session.mesh, options.matrix_rows):
        session.report["products"].append(record)
        yield "products", record, session.report
    for step in planned(session):
        yield *session.take(step), session.report


def planned(session: Session) -> Iterator[Step]:
    """The steps of the parts asked for, the most telling ones first."""
    options = session.options
    first, *others = options.shapes
    beside = []
    if "extraction" in options.parts:
        ours, *beside = of_shape(session, first, "bfloat16")
        yield ours
    if "scan" in options.parts:
        yield from of_scans(session)
    if "labelled" in options.parts:
        size = session.options.size
        yield Step(
            "labelled", f"{size.places} places", lambda: LABELLED_SECONDS,
            lambda: measure_labelled(size),
        )  # fmt: skip
    if "calibration" in options.parts:
        yield of_calibration(session)
    yield from beside
    if "scan" in options.parts and jax.default_backend() != "cpu":
        yield from of_lanes(session)
    if "extraction" in options.parts:
        for shape in others:
            yield from of_shape(session, shape, "bfloat16")
        for shape in options.shapes:
            if shape in FLOAT32_TOO or shape not in SHAPES:
                yield from of_shape(session, shape, "float32")


def of_shape(session: Session, shape: str, dtype: str) -> Iterator[Step]:
    """Ours, and the same on torch, in one record."""
    what = f"{TITLES.get(shape, shape)} {dtype}"
    rate = session.rate(dtype)
    config = session.options.configs[shape]
    asked = extraction.setting(shape, dtype, rate, session.devices, config)
    made: list[dict] = []

    def ours():
        made.append(extraction.measure_forward(asked, rate, session.mesh))
        return made[0]

    def theirs():
        if not made:
            raise InputError("there is none of ours to set it beside")
        found = extraction.measure_torch(asked)
        made[0] |= found | {
            "times_torch": made[0]["tokens_per_second"] / found["torch_tokens_per_second"]
        }
        return {"what": what, "beside": "torch"} | found

    yield Step("extraction", what, lambda: extraction.expected_seconds(asked, rate), ours)
    yield Step(
        "extraction", f"{what} on torch",
        lambda: extraction.expected_seconds(asked, rate), theirs,
    )  # fmt: skip


def of_scans(session: Session) -> Iterator[Step]:
    """A transfer, then group runs of every tail and number of starts that is asked for."""
    size = session.options.size
    yield Step("transfer", "a place", lambda: 1.0, lambda: measure_transfer(size.rows, size.nodes))
    for tail, starts in session.options.scans:
        yield Step(
            "scan",
            f"{size.runs} runs, {tail}, {starts} starts",
            lambda starts=starts: expected_scan(session, starts),
            lambda tail=tail, starts=starts: measure_runs(size, tail, starts),
        )


def expected_scan(session: Session, starts) -> float:
    """Seconds of a scan, from those with one start."""
    if not session.report["scan"]:
        return SCAN_SECONDS
    one = session.report["scan"][0]
    runs, compiled = (10, 3) if starts == "auto" else (starts, 1)
    return compiled * one["first_seconds"] + 4 * runs * one["median_seconds"]


def of_calibration(session: Session) -> Step:
    """A calibration, as long as a minute."""
    size = session.options.size
    return Step(
        "calibration",
        f"{size.places} places",
        lambda: CALIBRATION_SECONDS,
        lambda: measure_calibration(size, session.left),
    )


def of_lanes(session: Session) -> Iterator[Step]:
    """Ten starts with several searches side by side."""
    for searches in SIDE_BY_SIDE:
        yield Step(
            "scan",
            f"{searches} searches side by side",
            lambda: expected_scan(session, 10),
            lambda searches=searches: measure_side_by_side(session.options.size, searches),
        )

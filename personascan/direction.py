"""A direction in a model's activations: what steering adds, and where."""

import hashlib
import json
import os
import pathlib
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from personascan.errors import InputError
from personascan.files import whole_file

RECORD = "personascan.record"  # the only key of the metadata, since safetensors does not order keys
SUFFIX = ".safetensors"
# What strength 1 is in each unit, at the nodes that a direction changes; `in_unit` has the lengths.
UNITS = {
    "deviation": "1 is as long as one deviation of the background at every node",
    "difference": "1 is as long as the mean of H1 less the mean of H0 at these nodes",
}
MEAN_DIFFERENCE = "1 is the mean of H1 less the mean of H0"


@dataclass(frozen=True, eq=False, repr=False)
class Direction:
    """What steering adds to a model, and the node set that goes with it. Keys: (site, layer).

    `2 * direction` is twice as long, `-direction` points the other way: `generate` takes them as
    `edits`. `strength` says what strength 1 is; `in_unit` changes that.

    Of `Located.direction`, which has every node, try 1, 2 and 4 differences both ways, and stop
    where texts decay: of the demo's personas in SmolLM2 from 8 differences or 4 deviations on, in a
    late layer from 2 deviations. Statements that are much alike differ more: there 4 differences
    are too many. Of a study's few nodes try 4 deviations (docs/interventions.md).
    """

    name: str
    shift: dict[tuple[str, int], np.ndarray]  # float32 [D]: what strength 1 adds
    # int8 [D]: 1 where an upper half was found, -1 where a lower one was, 0 elsewhere.
    nodes: dict[tuple[str, int], np.ndarray] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)  # of what made them: plain JSON

    def __mul__(self, strength: float) -> "Direction":
        """Returns the direction at another strength. Raises InputError for no finite number."""
        if isinstance(strength, bool) or not isinstance(strength, int | float | np.number):
            return NotImplemented
        with np.errstate(over="ignore"):
            shift = {
                at: (float(strength) * x_D.astype(np.float64)).astype(np.float32)
                for at, x_D in self.shift.items()
            }
        if not all(np.isfinite(x_D).all() for x_D in shift.values()):
            raise InputError(f"strength {strength:g}: the direction would not be finite")
        return replace(self, shift=shift)

    __rmul__ = __mul__

    def __neg__(self) -> "Direction":
        return self * -1

    @property
    def norm(self) -> float:
        """Length of what strength 1 adds, over all of its places."""
        squares = [np.square(x_D, dtype=np.float64).sum() for x_D in self.shift.values()]
        return float(np.sqrt(sum(squares)))

    @property
    def strength(self) -> str:
        """What strength 1 adds, in words: a length, in both units where these are known."""
        said = f"1 adds a vector of length {self.norm:.3g}"
        in_words = (
            ("deviation", "of a deviation of the background at its nodes"),
            ("difference", "of the difference of the means there"),
        )
        parts = [
            f"{self.norm / self.lengths[unit]:.3g} {words}"
            for unit, words in in_words
            if self.lengths.get(unit)
        ]
        return ": ".join([said, " and ".join(parts)]) if parts else said

    @property
    def lengths(self) -> dict[str, float]:
        """Length of strength 1 in each unit, "deviation" and "difference"; {} where not known.

        "deviation": the root of the summed squares of the background's standard deviations at the
        nodes of the direction, the unit of studies and of `personascan steer`. "difference": the
        same of mean H1 less mean H0, the unit of `Located.direction`.
        """
        lengths = self.record.get("lengths", {})
        return {unit: float(lengths[unit]) for unit in UNITS if unit in lengths}

    def in_unit(self, unit: str) -> "Direction":
        """Returns the direction whose strength 1 is one "deviation" or one "difference".

        It points the same way, whatever strength it had. Raises InputError for another unit, and
        for a direction that does not know its lengths: one from a file of another program.
        """
        if unit not in UNITS:
            raise InputError(f"unit {unit!r} is unknown; use one of {', '.join(UNITS)}")
        length, norm = self.lengths.get(unit), self.norm
        if not length or not norm:
            raise InputError(
                f"{self.name} does not say how long one {unit} is, as directions of studies and of "
                "found.direction do; leave the unit out"
            )
        scaled = self * (length / norm)
        return replace(scaled, record=self.record | {"strength": UNITS[unit]})

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Writes a .safetensors file, which `read_direction` reads with or without a model.

        A name without suffix gets this one; `write_direction(path, direction, model)` writes .gguf.
        Tensors are named direction.SITE.LAYER and nodes.SITE.LAYER; name and record are metadata.

        Raises:
          InputError: another suffix, a file that is there already (without `overwrite`), a place
            that cannot be written, a direction that no model can be steered by, a record that is
            not plain JSON; then no file is left.
        """
        from safetensors.numpy import save

        path = path if pathlib.Path(path).suffix else pathlib.Path(f"{os.fspath(path)}{SUFFIX}")
        refuse_suffix(path, SUFFIX)
        refuse_vectors("the direction", self)
        tensors = {
            f"{kind}.{site}.{layer}": x_D
            for kind, of_place in (("direction", self.shift), ("nodes", self.nodes))
            for (site, layer), x_D in of_place.items()
        }
        note = note_text(self, tensors)
        with whole_file(path, overwrite=overwrite) as file:
            file.write(save(tensors, {RECORD: note}))

    def __repr__(self) -> str:
        places = ", ".join(
            f"{site} {layer} (norm {np.linalg.norm(x_D):.3g})"
            for (site, layer), x_D in self.shift.items()
        )
        long = {u: f"{self.norm / one:.3g}" for u, one in self.lengths.items() if one}
        units = " or ".join(f"{n} {unit}{'s' * (n != '1')}" for unit, n in long.items())
        return f"Direction({self.name}: {places}{units and f'; strength 1 is {units}'})"


def unit_lengths(shift_D, background_BD, difference_D) -> dict[str, float]:
    """Returns the length of one unit of each kind at the nodes that a shift changes.

    background_BD: the rows of H0. difference_D: mean H1 less mean H0.
    """
    nodes_D = np.asarray(shift_D) != 0
    deviation_D = np.asarray(background_BD, np.float64).std(0)
    return {
        "deviation": float(np.linalg.norm(deviation_D[nodes_D])),
        "difference": float(np.linalg.norm(np.asarray(difference_D, np.float64)[nodes_D])),
    }


def refuse_vectors(where, direction: Direction) -> None:
    """Raises InputError if the name, vectors or node sets are none that a model can be given."""
    name = direction.name
    if not (isinstance(name, str) and name.strip() and name.isprintable()):
        raise InputError(f"{where} has the name {name!r}; give it one of characters that show")
    if not direction.shift:
        raise InputError(f"{where} has no vector; a node set alone is no direction")
    kinds = (direction.shift, np.float32), (direction.nodes, np.int8)
    for (site, layer), x_D, dtype in ((*item, d) for of, d in kinds for item in of.items()):
        if not isinstance(x_D, np.ndarray) or isinstance(x_D, np.ma.MaskedArray):
            raise InputError(
                f"{where}: {site} {layer} is a {type(x_D).__name__}; give {np.dtype(dtype)} [D] "
                "as a NumPy array"
            )
        if x_D.dtype != dtype or x_D.ndim != 1:
            raise InputError(
                f"{where}: {site} {layer} is {x_D.dtype} of shape {x_D.shape}; give "
                f"{np.dtype(dtype)} [D]"
            )
        if dtype == np.int8 and not np.isin(x_D, (-1, 0, 1)).all():
            raise InputError(f"{where}: nodes of {site} {layer} are not all 1, -1 or 0; make them")
        if not np.isfinite(x_D).all():
            raise InputError(
                f"{where}: {site} {layer} is not finite as float32; leave it out, or scale it down"
            )
    if not any(x_D.any() for x_D in direction.shift.values()):
        raise InputError(f"{where} is 0 everywhere, and so changes nothing; give another")


def note_text(direction: Direction, tensors: dict) -> str:
    """Returns name and record as JSON, with a hash of them and of the tensors."""
    try:
        text = json.dumps(direction.record, allow_nan=False)
        plain = isinstance(direction.record, dict) and json.loads(text) == direction.record
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"the record is not JSON ({error}); leave that out of it") from error
    if not plain:
        raise InputError("the record changes as JSON; use a dict of lists, with keys that are text")
    note = {"name": direction.name, "record": direction.record}
    return json.dumps(note | {"sha256": content_sha256(note, tensors)})


def content_sha256(note: dict, tensors: dict) -> str:
    """Returns the hash of a note and of tensors by name."""
    digest = hashlib.sha256(json.dumps(note, sort_keys=True).encode())
    for name, x_D in sorted(tensors.items()):
        digest.update(f"\n{name} {x_D.dtype} {x_D.shape}\n".encode() + x_D.tobytes())
    return digest.hexdigest()


def refuse_suffix(path, suffix: str) -> None:
    """Raises InputError for a path with another suffix."""
    given = pathlib.Path(path).suffix.lower()
    if (given, suffix) == (".gguf", SUFFIX):
        raise InputError(
            f"{path}: a control vector for llama.cpp needs the model; use "
            "personascan.write_direction(path, direction, model)"
        )
    if given != suffix:
        raise InputError(
            f"{path} does not end in {suffix}, by which it will be recognised; rename it"
        )

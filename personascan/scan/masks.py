"""Checks of the masks, labels and starts that a caller gives; searches as row numbers."""

import numpy as np

from personascan.errors import InputError
from personascan.reading import real_array
from personascan.scan.devices import Searches
from personascan.scan.options import as_row_sets


def check_masks(background_RN, evaluation_RN) -> tuple[np.ndarray, np.ndarray]:
    """Returns both masks as [R, N] bool. Raises InputError if they are no masks or overlap."""
    masks = [
        real_array("the background mask", background_RN),
        real_array("the evaluation mask", evaluation_RN),
    ]
    for name, mask in zip(("background", "evaluation"), masks, strict=True):
        if mask.ndim != 2 or mask.dtype != bool or not mask.size:
            raise InputError(
                f"the {name} mask must be bool [runs, pool rows], got {mask.dtype} {mask.shape}"
            )
        if not mask.any(1).all():
            raise InputError(f"run {int(mask.any(1).argmin())} has no {name} rows")
    if masks[0].shape != masks[1].shape:
        raise InputError(f"the masks differ in shape: {masks[0].shape} and {masks[1].shape}")
    both = (masks[0] & masks[1]).any(1)
    if both.any():
        raise InputError(f"run {int(both.argmax())} scans rows of its own background")
    return masks[0], masks[1]


def number_labels(name: str, labels, rows: int) -> tuple[np.ndarray, list]:
    """Returns labels as numbers [N], and the distinct labels in order of appearance."""
    try:
        labels = labels.tolist() if isinstance(labels, np.ndarray) else list(labels)
        distinct = {label: i for i, label in enumerate(dict.fromkeys(labels))}
    except TypeError as error:
        raise InputError(f"{name} must be a sequence of labels, one for each row") from error
    if len(labels) != rows:
        raise InputError(f"{name} has {len(labels)} labels; it needs one label for each of {rows}")
    return np.array([distinct[label] for label in labels], np.int32), list(distinct)


def background_sizes(background_RN, evaluation_RN, group_N, labels) -> np.ndarray:
    """Counts the background rows of each run and background group: [R, G].

    Raises InputError if a run scans rows of a group that has none.
    """
    inside_GN = group_N == np.arange(len(labels))[:, None]
    n_RG = background_RN.astype(np.int64) @ inside_GN.T
    missing_RG = ((evaluation_RN.astype(np.int64) @ inside_GN.T) > 0) & (n_RG == 0)
    if missing_RG.any():
        run, group = np.argwhere(missing_RG)[0]
        raise InputError(
            f"run {run} scans rows of background group {labels[group]!r} but has no background "
            "row of that group; add some or leave those rows out"
        )
    return n_RG


def plan_searches(evaluation_RN, starts) -> Searches:
    """Turns masks into row numbers, so that a search holds only the rows that it scans."""
    sizes_R = evaluation_RN.sum(1)
    rows_RM = np.argsort(~evaluation_RN, axis=1, kind="stable")[:, : sizes_R.max()].astype(np.int32)
    valid_RM = np.arange(rows_RM.shape[1]) < sizes_R[:, None]
    if isinstance(starts, int | np.integer | str):
        return Searches(rows_RM, valid_RM, None)
    starts_SN = as_row_sets(starts)
    if starts_SN.shape[1] != evaluation_RN.shape[1]:
        raise InputError("starts must have one column for each row that can be scanned")
    starts_RSM = np.swapaxes(starts_SN[:, rows_RM], 0, 1) & valid_RM[:, None]
    if not starts_RSM.any((0, 2)).all():
        raise InputError("a row set of starts holds no row that is scanned in any run")
    return Searches(rows_RM, valid_RM, starts_RSM)


def pair_labels(labels, background: int, evaluation: int) -> list:
    """Returns labels of background rows, then of evaluation rows, as in the stacked pool."""
    if not isinstance(labels, tuple | list) or len(labels) != 2:
        raise InputError(
            "background_groups must be a pair: labels of the background rows, labels of the rows"
        )
    parts = [
        number_labels(f"background_groups of the {name} rows", part, rows)
        for name, part, rows in zip(
            ("background", "evaluation"), labels, (background, evaluation), strict=True
        )
    ]
    return [distinct[i] for numbers, distinct in parts for i in numbers]

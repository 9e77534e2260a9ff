"""The stages of a study, in the order in which their units are counted and their columns stand."""

from personascan.study.stages import (
    baseline,
    crossfit,
    detection,
    intervention,
    kinds,
    localisation,
    nodes,
    null,
    personas,
    profile,
    projection,
    promoted,
    separation,
    specificity,
    split,
    tokens,
    transfer,
    validation,
    where,
    wording,
    words,
)

STAGES = tuple(
    module.STAGE
    for module in (
        wording, baseline, separation, personas, where, words, crossfit, detection, null, transfer,
        nodes, localisation, profile, projection, split, validation, kinds, intervention,
        specificity, tokens, promoted,
    )
)  # fmt: skip

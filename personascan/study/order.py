"""The stages of a study, in the order in which their units are counted and their columns stand."""

from personascan.study.stages import (
    baseline,
    crossfit,
    detection,
    evidence,
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
    written,
)

STAGES = tuple(
    module.STAGE
    for module in (
        wording, baseline, separation, personas, where, words, crossfit, detection, null, transfer,
        nodes, localisation, evidence, profile, projection, split, validation, kinds, intervention,
        specificity, tokens, promoted, written,
    )
)  # fmt: skip

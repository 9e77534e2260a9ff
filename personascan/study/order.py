"""The stages of a study, in the order in which their units are counted and their columns stand."""

from personascan.study.stages import (
    baseline,
    controls,
    crossfit,
    detection,
    evidence,
    intervention,
    judged,
    kinds,
    localisation,
    nodes,
    null,
    personas,
    profile,
    projection,
    promoted,
    recipes,
    separation,
    specificity,
    split,
    sweep,
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
        nodes, recipes, localisation, evidence, profile, projection, split, validation, kinds,
        intervention, specificity, tokens, promoted, written, controls, judged, sweep,
    )
)  # fmt: skip

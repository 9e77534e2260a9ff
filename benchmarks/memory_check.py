"""What the compiled search of one layer really holds, beside what was planned."""

import jax
import numpy as np

from personascan.scan.backgrounds import is_shared, open_source
from personascan.scan.devices import search, search_inputs, search_layout
from personascan.scan.masks import plan_searches
from personascan.scan.memory import scan_memory
from personascan.scan.options import ScanOptions
from personascan.scan.ranks import rank_tables
from personascan.scan.samples import run_keys


def planned_and_held(
    layer_ND, background_RN, evaluation_RN, starts: int = 10, tail: str = "two"
) -> dict[str, int]:
    """Bytes planned, and bytes the compiler reports for all devices (Berk-Jones, grid).

    Returns:
      planned, held (arguments, results and temporaries of the compiled search), planes (packed
      planes of every scanned row), activations (the layer), and held over planes.
    """
    options = ScanOptions(tail=tail, alphas="grid", starts=starts)
    tables = rank_tables(background_RN.sum(1)[:, None], options)
    searches = plan_searches(evaluation_RN, starts)
    evaluated_N = evaluation_RN.any(0)
    evaluated = int(evaluated_N.sum())
    shared = is_shared(background_RN, tables)
    layout = search_layout(searches, tables, options, layer_ND.shape[1], evaluated, shared)
    planned = scan_memory(layout, searches, tables, evaluated, len(layer_ND), shared, layers=1)
    group_N = np.zeros(len(layer_ND), np.int32)
    source = open_source(layer_ND, background_RN, evaluated_N, tables, group_N, options.sides)
    keys_R = run_keys(jax.random.key(0), len(background_RN))
    inputs = search_inputs(source, searches, tables, keys_R, layout)
    analysis = search.lower(*inputs, layout=layout).compile().memory_analysis()
    held = len(layout.devices) * (
        analysis.argument_size_in_bytes
        + analysis.output_size_in_bytes
        + analysis.temp_size_in_bytes
    )
    return {
        "planned": planned.total,
        "held": held,
        "planes": planned.planes,
        "activations": planned.activations,
        "held_over_planes": round(held / planned.planes, 2),
    }

"""What a scan will hold in memory, worked out before it starts."""

from dataclasses import dataclass

from personascan.memory import human_bytes, refuse_too_much
from personascan.scan.planes import word_count


@dataclass(frozen=True)
class ScanMemory:
    """Bytes at the peak of the scan of one layer."""

    activations: int  # one layer of the pool, float32
    planes: int  # packed threshold planes of every row that is scanned
    working: int  # what the devices hold: planes, levels, ranks and the counts of a step
    results: int  # subsets of every start of the layer, and of every run of all layers

    @property
    def total(self) -> int:
        return self.activations + self.working + self.results

    def summary(self) -> str:
        parts = (self.activations, self.planes, self.working, self.results, self.total)
        return "activations {}, planes {}, devices hold {}, results {}: {} in all".format(
            *map(human_bytes, parts)
        )


def scan_memory(plan, searches, tables, evaluated: int, n_pool: int, shared: bool, layers: int):
    """ScanMemory of searches as laid out by `plan_search`."""
    runs, rows = searches.rows_RM.shape
    row_bytes = 4 * word_count(plan.columns)
    level_bytes = 8 * row_bytes * tables.below_RGB.itemsize  # a level for each bit of a word
    alphas = plan.n_alphas if plan.held else plan.chunk
    step = (2 * rows.bit_length() + 8) * alphas * row_bytes
    one_search = alphas * rows * row_bytes + rows * level_bytes + step
    if shared:
        once = (evaluated + 1) * (level_bytes + plan.whole * plan.n_alphas * row_bytes)
    else:
        # Ranks, and the running counts of one background.
        once = n_pool * plan.n_nodes * (3 * (2 if n_pool < 2**16 else 4) + 4)
    starts = plan.starts or searches.starts_RSM.shape[1]
    found = runs * starts * (rows + 3 * row_bytes)
    kept = layers * runs * (n_pool + 2 * plan.n_nodes)
    return ScanMemory(
        activations=4 * n_pool * plan.n_nodes,
        planes=plan.n_alphas * (evaluated if shared else rows) * row_bytes,
        working=len(plan.devices) * (once + one_search),
        results=2 * found + kept,
    )


def refuse_too_large(memory: ScanMemory) -> None:
    """Raise InputError where the scan would not fit into what is free now."""
    refuse_too_much(
        "the scan", memory.total, f"({memory.summary()}) scan fewer runs, starts or rows at a time"
    )

"""First calls: small problems in a process that has just started, import included."""

import os
import statistics
import subprocess
import sys
import tempfile
import time

ROWS = """
import numpy as np, personascan
rng = np.random.default_rng(0)
rows = rng.normal(size=({rows}, {nodes}))
positive = np.arange({rows}) < {rows} // 2
rows[positive, : {nodes} // 8] += 0.5
background, evaluation = rows[~positive], rows[positive]
"""
CALLS = {
    "locate": "personascan.locate(rows, positive)",
    "node_scan": "personascan.node_scan(background, evaluation)",
    "individual_scan": "personascan.individual_scan(background, evaluation)",
    "group_scan": "personascan.group_scan(background, evaluation)",
}
SIZES = ((60, 256), (300, 1024))


def measure_first_calls(repeats: int):
    """Seconds of a fresh process with a call: without kept compilations, then with these."""
    for rows, nodes in SIZES:
        made = ROWS.format(rows=rows, nodes=nodes)
        for name, call in CALLS.items():
            empty, kept = [], []
            for _ in range(repeats):
                with tempfile.TemporaryDirectory() as cache:
                    empty.append(fresh_process(made + call, cache))
                    kept.append(fresh_process(made + call, cache))
            yield {
                "part": "first_calls", "call": name, "rows": rows, "nodes": nodes,
                "seconds, nothing kept": round(statistics.median(empty), 2),
                "seconds, kept": round(statistics.median(kept), 2),
            }  # fmt: skip


def fresh_process(code: str, cache: str) -> float:
    """Returns the seconds of a process that runs the code, with a cache folder of its own."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JAX_COMPILATION")}
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", code], check=True, env=environment | {"PERSONASCAN_CACHE": cache}
    )
    return time.perf_counter() - began

"""How long it takes to import the package, and what its first names need."""

import statistics
import subprocess
import sys
import time

STATEMENTS = {
    "an empty process": "pass",
    "import personascan": "import personascan",
    "personascan.locate": "import personascan; personascan.locate",
    "personascan.group_scan": "import personascan; personascan.group_scan",
    "personascan.run_study": "import personascan; personascan.run_study",
}


def measure_imports(repeats: int):
    """Seconds of a fresh process for each statement: the median of several, one after the other."""
    for name, statement in STATEMENTS.items():
        seconds = []
        for _ in range(repeats):
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", statement], check=True)
            seconds.append(time.perf_counter() - began)
        yield {"part": "imports", "what": name, "seconds": round(statistics.median(seconds), 3)}

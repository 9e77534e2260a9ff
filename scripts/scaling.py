"""Print the table of docs/scaling.md: what the published study would take on other machines.

Computed from published figures of these machines, but for CPU cores, where labelled tests and scans
take what they take here (some ten seconds).
"""

from personascan.command import run  # first: a signal is answered from here on

import pathlib
import sys


def main(_) -> None:
    sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))  # where benchmarks/ lies
    from benchmarks.machines import MODELS, computed, core_seconds
    from personascan.memory import human_bytes
    from personascan.study.status import duration

    seconds = {config.width: core_seconds(config.width) for config in MODELS.values()}
    print("| model | machine | extraction | where | scans | parameters | activations | one place |")
    print("|---|---|---|---|---|---|---|---|")
    for line in computed(seconds):
        extraction = line["extraction_s"]
        cells = (
            line["model"], line["machine"],
            "does not fit" if extraction is None else duration(extraction),
            duration(line["where_s"]), duration(line["scans_s"]),
            *(human_bytes(int(line[k])) for k in ("parameters_bytes", "activations_bytes",
                                                   "place_bytes")),
        )  # fmt: skip
        print("| " + " | ".join(cells) + " |")
    for width, (tested, searched) in seconds.items():
        print(
            f"at {width} nodes a labelling takes {1e6 * tested:.0f} us of a core here, a search "
            f"{1000 * searched:.1f} ms"
        )


if __name__ == "__main__":
    run(main)

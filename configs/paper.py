"""The published study: three chat models, 14 personas of the public evals, all three levels.

    python scripts/study.py --config=configs/paper.py --dry_run
    python scripts/study.py --config=configs/paper.py

After arXiv 2505.24539. Models and statements come from the hub by id (the first model is gated: its
licence must be accepted there, and HF_TOKEN set). What it takes on the machine at hand, --dry_run
says: with a model on an accelerator it is hours, of which an interruption loses nothing. Leaves a
page for each model and level in out/paper, and tables over all of them.
"""

from ml_collections import ConfigDict

import personascan
from personascan.sources.language.statements import TOPIC_OF


def get_config() -> ConfigDict:
    return ConfigDict(
        personascan.recipe(
            models=(
                "meta-llama/Meta-Llama-3-8B-Instruct",
                "ibm-granite/granite-7b-instruct",
                "mistralai/Mistral-7B-Instruct-v0.3",
            ),
            dtype="bfloat16",
            statements="Anthropic/model-written-evals",
            personas=tuple(TOPIC_OF),
            levels=(2, 1, 0),
            runs=dict(runs=100, background=100, clean=40, positive=40),
            tables="parquet",
            out="out/paper",
        )
    )

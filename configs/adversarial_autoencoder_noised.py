"""Adversarial noise in autoencoders that were trained with a few attacked images among the clean.

    python scripts/study.py --config=configs/adversarial_autoencoder_noised.py

As configs/adversarial_autoencoder.py, of which it takes splits and sizes, with 1% and with 9% of
the training images attacked (BIM, clipped), and the two attacks that these were published for.
Three minutes on two CPU cores after that recipe, and 3 GB of disk. docs/adversarial_autoencoder.md
has what came out.
"""

from ml_collections import ConfigDict

from personascan.study.config import recipe


def get_config() -> ConfigDict:
    changes = recipe(
        models=("autoencoder 1% noised", "autoencoder 9% noised"),
        images=dict(
            data="fashion-mnist", train=20000, attacks=("fgsm unclipped", "bim unclipped"),
            iterations=20, originals=False,
        ),
        limit=250,
        separation=dict(seeds=1, folds=3),
        runs=dict(background=60, clean=20, positive=20, runs=20),
        scan=dict(places=("conv1", "error"), tail="right", starts="5"),
        detection=dict(limit=8500, splits=1, background=7000 / 8500, draw=False),
        out="out/adversarial_autoencoder_noised",
    )  # fmt: skip
    return ConfigDict(changes, convert_dict=True)

"""Adversarial noise in an autoencoder that never saw any: every layer and reconstruction error.

    python scripts/study.py --config=configs/adversarial_autoencoder.py

The published splits of Fashion-MNIST's test images: background 0 to 6999, clean 7000 to 8499,
attacked 8500 to 9999, of which the successes are kept; clipped to the pixel range, and not. Single
images are scanned against all 7,000, beside mean reconstruction error, a one-class SVM and the
count of zero pixels. Nine minutes on two CPU cores and 2 GB of disk.
configs/adversarial_autoencoder_noised.py has autoencoders that were trained with attacked images.
docs/adversarial_autoencoder.md sets the tables beside the published ones.
"""

from ml_collections import ConfigDict

from personascan.study.config import recipe


def get_config() -> ConfigDict:
    attacks = ("fgsm unclipped", "bim unclipped", "deepfool unclipped", "fgsm", "bim", "deepfool",
               "hop-skip-jump")  # fmt: skip
    changes = recipe(
        models=("autoencoder",),
        images=dict(
            data="fashion-mnist", train=20000, attacks=attacks, iterations=20, query_images=60,
        ),
        limit=250,
        separation=dict(seeds=1, folds=3),
        runs=dict(background=60, clean=20, positive=20, runs=20),
        scan=dict(places=("conv1", "error"), tail="right", starts="5"),
        detection=dict(limit=8500, splits=1, background=7000 / 8500, draw=False),
        out="out/adversarial_autoencoder",
    )  # fmt: skip
    return ConfigDict(changes, convert_dict=True)

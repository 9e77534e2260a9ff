"""The trained networks and attacked images of a study, cached under the inputs they depend on."""

import functools
from dataclasses import asdict

import numpy as np

from personascan.errors import InputError
from personascan.hashes import RUN_AGAIN
from personascan.models.autoencoder import Autoencoder
from personascan.models.image import Classifier, logits_function
from personascan.models.parameter_cache import cached_arrays
from personascan.models.training import accuracy, train_autoencoder, train_classifier
from personascan.sources.images.attacked import predictions
from personascan.sources.images.attacks import Attack
from personascan.sources.images.data import Images, image_files, load_images
from personascan.sources.images.options import CLASSIFIER, ImageOptions, Network, attack_named

BATCH = 256  # images that are attacked at once


class Workshop:
    """Trains the networks and attacks the images of a study's options, each on first use."""

    def __init__(self, options: ImageOptions):
        self.options = options
        self.files = image_files(options.data)

    @functools.cached_property
    def train(self) -> Images:
        """The images that networks are trained on."""
        images, count = self.images("train"), self.options.train or None
        return Images(images.pixels_NHW[:count], images.labels_N[:count])

    @functools.cached_property
    def test(self) -> Images:
        """Returns the images that are scanned or attacked. Raises InputError if too few exist."""
        images = self.images("test")
        needed = self.options.clean + self.options.attacked
        if len(images.labels_N) < needed:
            raise InputError(
                f"{self.options.data} has {len(images.labels_N)} test images, and images.clean + "
                f"images.attacked ask for {needed}; lower them"
            )
        return images

    def images(self, subset: str) -> Images:
        """Loads the images of a subset. Raises InputError if their files have changed."""
        images = load_images(self.options.data, subset)
        if image_files(self.options.data) != self.files:
            raise InputError(
                f"the images of {self.options.data} have changed meanwhile; {RUN_AGAIN}"
            )
        return images

    @property
    def candidates(self) -> Images:
        """The images that are attacked."""
        rows = slice(self.options.clean, self.options.clean + self.options.attacked)
        return Images(self.test.pixels_NHW[rows], self.test.labels_N[rows])

    def key(self, network: Network) -> dict:
        """Returns all that a network's parameters depend on, as JSON holds it."""
        options = self.options
        decides = {"data": self.files, "train": options.train, "seed": options.seed}
        if network.kind == CLASSIFIER:
            return decides | {"network": CLASSIFIER, "epochs": options.epochs}
        decides |= {"network": network.kind, "epochs": options.autoencoder_epochs}
        if network.noised:
            decides |= {
                "noised": network.noised, "attack": asdict(self.training_attack),
                "classifier": self.key(Network(CLASSIFIER)),
            }  # fmt: skip
        return decides

    @property
    def training_attack(self) -> Attack:
        """The attack on the training images of a noised network."""
        return attack_named("bim", self.options)

    def network(self, network: Network):
        """Returns the Flax module of a network."""
        return Classifier() if network.kind == CLASSIFIER else Autoencoder()

    @functools.cache  # noqa: B019 - a workshop lasts as long as its process
    def params(self, network: Network) -> dict:
        """Returns the parameters of a network, trained if none are cached."""
        return cached_arrays(self.key(network), functools.partial(self.train_network, network))

    def train_network(self, network: Network) -> dict:
        options, images = self.options, self.train
        if network.kind == CLASSIFIER:
            return train_classifier(
                images.pixels_NHW, images.labels_N, epochs=options.epochs, seed=options.seed
            )
        pixels_NHW = images.pixels_NHW
        if count := round(network.noised * len(pixels_NHW)):
            # The last images are attacked: the network learns to take them for usual.
            last = Images(pixels_NHW[-count:], images.labels_N[-count:])
            attacked_NHW = self.training_attack.run(self.logits, *last).pixels_NHW
            pixels_NHW = np.concatenate([pixels_NHW[:-count], attacked_NHW])
        return train_autoencoder(pixels_NHW, epochs=options.autoencoder_epochs, seed=options.seed)

    @functools.cached_property
    def logits(self):
        """The attacked classifier, pixels [N, H, W] -> logits."""
        network = Network(CLASSIFIER)
        return logits_function(self.network(network), self.params(network))

    def accuracy(self) -> float:
        """Returns the classifier's accuracy on all test images."""
        network = Network(CLASSIFIER)
        return accuracy(self.network(network), self.params(network), *self.test)

    def attack_key(self, name: str) -> dict:
        """Returns all that the images of an attack depend on, as JSON holds it."""
        options = self.options
        decides = {"attack": name.split()[0], **attack_named(name, options).options()}
        return decides | {
            "classifier": self.key(Network(CLASSIFIER)), "first": options.clean,
            "images": self.candidate_count(name),
        }  # fmt: skip

    def candidate_count(self, name: str) -> int:
        """Returns how many images an attack is tried on: fewer if it needs thousands of queries."""
        queries = self.options.query_images if name.startswith("hop-skip-jump") else 0
        return min(self.options.attacked, queries or self.options.attacked)

    @functools.cache  # noqa: B019
    def attacked(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Returns an attack's successes: images [N, H, W], and their numbers among candidates."""
        arrays = cached_arrays(self.attack_key(name), functools.partial(self.attack, name))
        return arrays["attacked"]["pixels_NHW"], arrays["attacked"]["rows_N"]

    def attack(self, name: str) -> dict:
        pixels_NHW, labels_N = (array[: self.candidate_count(name)] for array in self.candidates)
        # An image that is misclassified already cannot be a success.
        right_N = np.flatnonzero(self.classes(pixels_NHW) == labels_N)
        attacked = attack_named(name, self.options).run(
            self.logits, pixels_NHW[right_N], labels_N[right_N]
        )
        success_N = attacked.success_N
        rows_N = right_N[success_N].astype(np.int32)
        return {"attacked": {"pixels_NHW": attacked.pixels_NHW[success_N], "rows_N": rows_N}}

    def classes(self, pixels_NHW) -> np.ndarray:
        """Returns the classifier's class of each image: [N]."""
        return predictions(self.logits, pixels_NHW, BATCH)


@functools.lru_cache(maxsize=2)
def workshop_of(options: ImageOptions) -> Workshop:
    """Returns the one workshop of these options in this process."""
    return Workshop(options)

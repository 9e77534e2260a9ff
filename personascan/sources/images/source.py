"""Images in a network as the source of a study's rows: clean ones, and attacked ones."""

import functools
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from personascan.hashes import text_sha256
from personascan.models.autoencoder import AUTOENCODER_SITES
from personascan.models.image import CLASSIFIER_SITES, activations, site_widths
from personascan.places import Place, named_place
from personascan.sources.base import Baseline, Row, Terms
from personascan.sources.images.made import Workshop, workshop
from personascan.sources.images.options import CLASSIFIER, ImageOptions, Network

CLEAN, CONTROL, BEFORE = "clean", "not attacked", "before"
ERROR = "error"  # the reconstruction error of every pixel, which is no layer
BATCH = 256
PIXELS = Place("pixels", 0, "", "input")


@dataclass(frozen=True)
class ImageSource:
    """A network, and the images that options name."""

    name: str  # the network's
    options: ImageOptions
    groups: dict[str, list[Row]]
    places: list[Place]
    accuracy: float  # of the attacked classifier

    terms = Terms(rows="images", h1="attacked images", h0="clean ones")
    extra = (PIXELS,)
    embedding = None
    texts = False
    head_width = 1
    role = revision = ""
    answers = False

    @property
    def made(self) -> Workshop:
        return workshop(self.options)

    @property
    def network(self) -> Network:
        return Network.named(self.name)

    @property
    def layers(self) -> int:
        return len(self.places)

    @property
    def about(self) -> str:
        """Which images, and how often each attack succeeded."""
        options = self.options
        attacks = ", ".join(
            f"{name} {len(self.groups.get(name, []))} of {self.made.tried(name)}"
            for name in options.attacks
        )
        return (
            f"Clean images are the first {options.clean} test images of "
            f"{options.data or 'the data'}; the {options.attacked} that follow were attacked "
            f"through a classifier (accuracy {self.accuracy:.3f}), and only successes are kept: "
            f"{attacks}. Changes are at most {options.eps:g} of a pixel's range where an attack "
            f"bounds them. Group `{CONTROL}` holds the images before any attack, `NAME, {BEFORE}` "
            "those of them that attack NAME turned."
        )

    @functools.cached_property
    def baselines(self) -> list[Baseline]:
        """What an attack shows without a scan."""
        found = [Baseline("few zero pixels", PIXELS, "few zeros")]
        at = {place.site: place for place in self.places}
        if ERROR in at:
            found += [
                Baseline("mean reconstruction error", at[ERROR], "mean"),
                Baseline("one-class SVM of the error", at[ERROR], "one-class SVM"),
            ]
        return found

    def hashes(self) -> dict[str, str]:
        """Returns the hashes of the images' files."""
        return dict(self.made.files)

    @functools.cached_property
    def widths(self) -> dict[str, int]:
        shape = self.made.test.pixels_NHW.shape[1:]
        network = self.made.network(self.network)
        return site_widths(network, shape) | {PIXELS.site: int(np.prod(shape))}

    def shape(self, group: str, place: Place) -> tuple[int, int]:
        """Rows and nodes [N, D]."""
        return len(self.groups[group]), self.widths[place.site]

    def identity(self, group: str, place: Place) -> dict[str, Any]:
        """The network and the images by what decides them: training is repeatable."""
        options, made = self.options, self.made
        images = {"group": group, "data": made.files, "clean": options.clean}
        if group in (CONTROL, CLEAN):
            images |= {"attacked": options.attacked}
        else:
            images |= made.attack_key(group.removesuffix(f", {BEFORE}"))
        ids = text_sha256("\n".join(e.id for e in self.groups[group]))
        network = {} if place == PIXELS else made.key(self.network)
        return {"network": network, "images": images, "ids": ids, "site": place.site}

    def named(self, text: str) -> Place:
        """The site of that name. Raises InputError for one that is not there."""
        return named_place(text, self.places, self.layers)

    def fill(self, group: str, arrays, progress) -> None:
        """Run the group's images through the network."""
        pixels_NHW, made = images_of(self.made, group), self.made
        sites = tuple(place.site for place in arrays if place != PIXELS)
        for first in range(0, len(pixels_NHW), BATCH):
            rows = slice(first, first + BATCH)
            if PIXELS in arrays:
                arrays[PIXELS][rows] = pixels_NHW[rows].reshape(len(pixels_NHW[rows]), -1)
            if sites:
                kept = activations(
                    made.network(self.network), made.params(self.network), pixels_NHW[rows], sites,
                    BATCH,
                )  # fmt: skip
                for place, array in arrays.items():
                    if place != PIXELS:
                        array[rows] = kept[place.site]
            progress(len(pixels_NHW[rows]))


def images_of(made: Workshop, group: str) -> np.ndarray:
    """The pixels [N, H, W] of a group."""
    if group == CLEAN:
        return made.test.pixels_NHW[: made.options.clean]
    if group == CONTROL:
        return made.candidates.pixels_NHW
    if group.endswith(f", {BEFORE}"):
        return made.candidates.pixels_NHW[made.attacked(group.removesuffix(f", {BEFORE}"))[1]]
    return made.attacked(group)[0]


def numbers_of(made: Workshop, group: str) -> np.ndarray:
    """The number of each of a group's images among the test images."""
    if group == CLEAN:
        return np.arange(made.options.clean)
    if group == CONTROL:
        return made.options.clean + np.arange(made.options.attacked)
    return made.options.clean + made.attacked(group.removesuffix(f", {BEFORE}"))[1]


def image_sources(options: ImageOptions, networks: tuple[str, ...]) -> list[ImageSource]:
    """A source for each network; what is to be attacked is attacked now, or was.

    Raises InputError as `load_images`; an attack that never succeeds.
    """
    made = workshop(options)
    names = [CLEAN, *options.attacks]
    names += [CONTROL] if options.control else []
    names += [f"{name}, {BEFORE}" for name in options.attacks] if options.originals else []
    groups = {}
    for name in names:
        pixels_NHW, numbers = images_of(made, name), numbers_of(made, name)
        classes = made.classes(pixels_NHW) if len(pixels_NHW) else []
        before = "" if name == CLEAN else f"{name} "
        groups[name] = [
            Row(f"{before}{number}", name != CLEAN, condition=str(seen))
            for number, seen in zip(numbers, classes, strict=True)
        ]
    for name in options.attacks:
        if not groups[name]:
            print(f"note: {name} never succeeded: there is nothing to compare", file=sys.stderr)
    found = {name: examples for name, examples in groups.items() if examples}
    accuracy = made.accuracy()
    return [ImageSource(name, options, found, places_of(name), accuracy) for name in networks]


def places_of(name: str) -> list[Place]:
    """The sites of a network, from its input to its output."""
    network = Network.named(name)
    sites = CLASSIFIER_SITES if network.kind == CLASSIFIER else AUTOENCODER_SITES
    return [
        Place(site, 0, "", site) if site == ERROR else Place(site, layer, "", network.kind)
        for layer, site in enumerate(sites)
    ]

"""Clean and attacked images in a network, as the source of a study's rows."""

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
from personascan.sources.images.options import CLASSIFIER, ImageOptions, Network
from personascan.sources.images.workshop import Workshop, workshop_of

CLEAN, CONTROL, BEFORE = "clean", "not attacked", "before"
ERROR = "error"  # the reconstruction error of every pixel, which is no layer
BATCH = 256
PIXELS = Place("pixels", 0, "", "input")


@dataclass(frozen=True)
class ImageSource:
    """The images that options name, in a network."""

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
    def workshop(self) -> Workshop:
        return workshop_of(self.options)

    @property
    def network(self) -> Network:
        return Network.named(self.name)

    @property
    def layers(self) -> int:
        return len(self.places)

    @property
    def about(self) -> str:
        """Sentences of the report: which images, and how often each attack succeeded."""
        options = self.options
        attacks = ", ".join(
            f"{name} {len(self.groups.get(name, []))} of {self.workshop.candidate_count(name)}"
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
        """Simpler detectors than a scan."""
        baselines = [Baseline("few zero pixels", PIXELS, "few zeros")]
        place_of = {place.site: place for place in self.places}
        if ERROR in place_of:
            baselines += [
                Baseline("mean reconstruction error", place_of[ERROR], "mean"),
                Baseline("one-class SVM of the error", place_of[ERROR], "one-class SVM"),
            ]
        return baselines

    def hashes(self) -> dict[str, str]:
        """Returns the hashes of the images' files."""
        return dict(self.workshop.files)

    @functools.cached_property
    def widths(self) -> dict[str, int]:
        shape = self.workshop.test.pixels_NHW.shape[1:]
        network = self.workshop.network(self.network)
        return site_widths(network, shape) | {PIXELS.site: int(np.prod(shape))}

    def shape(self, group: str, place: Place) -> tuple[int, int]:
        """Returns the numbers of rows and nodes: (N, D)."""
        return len(self.groups[group]), self.widths[place.site]

    def identity(self, group: str, place: Place) -> dict[str, Any]:
        """Returns the inputs that decide network and images; training is repeatable."""
        options, workshop = self.options, self.workshop
        images = {"group": group, "data": workshop.files, "clean": options.clean}
        if group in (CONTROL, CLEAN):
            images |= {"attacked": options.attacked}
        else:
            images |= workshop.attack_key(group.removesuffix(f", {BEFORE}"))
        ids = text_sha256("\n".join(e.id for e in self.groups[group]))
        network = {} if place == PIXELS else workshop.key(self.network)
        return {"network": network, "images": images, "ids": ids, "site": place.site}

    def named(self, text: str) -> Place:
        """Returns the place of a site's name. Raises InputError if there is none."""
        return named_place(text, self.places, self.layers)

    def fill(self, group: str, arrays, progress) -> None:
        """Runs the group's images through the network, and writes their activations."""
        pixels_NHW, workshop = images_of(self.workshop, group), self.workshop
        sites = tuple(place.site for place in arrays if place != PIXELS)
        for first in range(0, len(pixels_NHW), BATCH):
            rows = slice(first, first + BATCH)
            if PIXELS in arrays:
                arrays[PIXELS][rows] = pixels_NHW[rows].reshape(len(pixels_NHW[rows]), -1)
            if sites:
                array_of_site = activations(
                    workshop.network(self.network), workshop.params(self.network),
                    pixels_NHW[rows], sites, BATCH,
                )  # fmt: skip
                for place, array in arrays.items():
                    if place != PIXELS:
                        array[rows] = array_of_site[place.site]
            progress(len(pixels_NHW[rows]))


def images_of(workshop: Workshop, group: str) -> np.ndarray:
    """Returns the pixels [N, H, W] of a group."""
    if group == CLEAN:
        return workshop.test.pixels_NHW[: workshop.options.clean]
    if group == CONTROL:
        return workshop.candidates.pixels_NHW
    if group.endswith(f", {BEFORE}"):
        rows_N = workshop.attacked(group.removesuffix(f", {BEFORE}"))[1]
        return workshop.candidates.pixels_NHW[rows_N]
    return workshop.attacked(group)[0]


def numbers_of(workshop: Workshop, group: str) -> np.ndarray:
    """Returns the number of each of a group's images among the test images: [N]."""
    if group == CLEAN:
        return np.arange(workshop.options.clean)
    if group == CONTROL:
        return workshop.options.clean + np.arange(workshop.options.attacked)
    return workshop.options.clean + workshop.attacked(group.removesuffix(f", {BEFORE}"))[1]


def image_sources(options: ImageOptions, networks: tuple[str, ...]) -> list[ImageSource]:
    """Returns a source for each network, after running those attacks that are not cached.

    Groups of attacks that never succeed are left out, with a notice. Raises InputError as
    `load_images`.
    """
    workshop = workshop_of(options)
    names = [CLEAN, *options.attacks]
    names += [CONTROL] if options.control else []
    names += [f"{name}, {BEFORE}" for name in options.attacks] if options.originals else []
    groups = {}
    for name in names:
        pixels_NHW, numbers = images_of(workshop, name), numbers_of(workshop, name)
        classes = workshop.classes(pixels_NHW) if len(pixels_NHW) else []
        prefix = "" if name == CLEAN else f"{name} "
        groups[name] = [
            Row(f"{prefix}{number}", name != CLEAN, condition=str(class_))
            for number, class_ in zip(numbers, classes, strict=True)
        ]
    for name in options.attacks:
        if not groups[name]:
            print(f"note: {name} never succeeded: there is nothing to compare", file=sys.stderr)
    groups = {name: rows for name, rows in groups.items() if rows}
    accuracy = workshop.accuracy()
    return [ImageSource(name, options, groups, places_of(name), accuracy) for name in networks]


def places_of(name: str) -> list[Place]:
    """Returns the places of a network, from its input to its output."""
    network = Network.named(name)
    sites = CLASSIFIER_SITES if network.kind == CLASSIFIER else AUTOENCODER_SITES
    return [
        Place(site, 0, "", site) if site == ERROR else Place(site, layer, "", network.kind)
        for layer, site in enumerate(sites)
    ]

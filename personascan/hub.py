"""Models and data sets of the Hugging Face hub, only the files needed, at one commit."""

import hashlib
import pathlib
import re
import sys
from collections.abc import Callable
from typing import NamedTuple

from personascan.errors import InputError
from personascan.hashes import cached_sha256
from personascan.reading import read_json

ID = re.compile(
    r"(?P<repo>\w[\w.-]*/\w[\w.-]*)(/(?P<file>[\w./-]+\.gguf))?(@(?P<revision>[\w./-]+))?"
)
# What ends so is a file, here or nowhere.
FILES = (
    ".bin", ".csv", ".h5", ".json", ".jsonl", ".npy", ".npz", ".pt", ".pth", ".safetensors", ".tsv",
)  # fmt: skip
SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
SHARD = re.compile(r".*\.safetensors")
GGUF_SHARD = re.compile(r"(?P<stem>.+)-\d{5}-of-(?P<count>\d{5})\.gguf")
SHA256, SHA1 = 64, 40  # digits of the hashes that name files in the hub's cache


class Snapshot(NamedTuple):
    """Files of a hub repository on this disk."""

    path: pathlib.Path  # the folder, or the single file that was asked for
    revision: str  # the commit


def is_hub_id(source: str) -> bool:
    """Tells whether a source is spelled ORG/NAME, ORG/NAME@REVISION or ORG/NAME/FILE.gguf.

    What begins with ./, ../, ~ or /, or is named like a file of data or weights, is a path.
    """
    return ID.fullmatch(source) is not None and not source.lower().endswith(FILES)


def fetch_model(source: str, describes: Callable[[str], bool], weights: bool = True) -> Snapshot:
    """Fetches the files of a model, or without weights its configuration and tokenizer.

    describes: tells of a name in the repository whether that file is read besides the weights.

    Raises InputError for a repository that is missing, gated (how to log in) or out of reach.
    """
    match = ID.fullmatch(source)
    file = match["file"]

    def choose(names: list[str], open_file=None) -> list[str]:
        if file:
            return [name for name in names if same_file(name, file)]
        of_model = [name for name in names if describes(name)]
        return of_model + (weight_files(names, open_file) if weights else [])

    folder, names, revision = fetch(match["repo"], match["revision"], "model", choose)
    if not names:
        missing = file or "config.json and safetensors files"
        raise InputError(f"the hub's {match['repo']} has no {missing}; choose another source")
    return Snapshot(folder / file if file else folder, revision)


def same_file(name: str, file: str) -> bool:
    """Tells whether a name is that file, or another shard of the file that it is a shard of."""
    a, b = GGUF_SHARD.fullmatch(name), GGUF_SHARD.fullmatch(file)
    return name == file or bool(a and b and a.groupdict() == b.groupdict())


def weight_files(names: list[str], open_file) -> list[str]:
    """Returns the single file of weights, else the index and its shards.

    open_file: downloads a file and returns its path; None: without network.
    """
    if SINGLE in names:
        return [SINGLE]
    if INDEX not in names:
        return []
    if open_file is None:  # the index cannot be read: every shard there is
        return [INDEX, *(name for name in names if SHARD.fullmatch(name))]
    index = open_file(INDEX)
    of_tensor = read_json(index).get("weight_map")
    if not isinstance(of_tensor, dict):
        raise InputError(f"{index} has no weight_map of file names; download it again")
    missing = sorted({str(n) for n in of_tensor.values()} - set(names))
    if missing:
        raise InputError(f"the hub's {INDEX} names {missing[0]!r}, which the repository lacks")
    return [INDEX, *sorted(set(of_tensor.values()))]


def fetch_statements(source: str, personas: tuple[str, ...] = ()) -> list[pathlib.Path]:
    """Fetches the .jsonl files of a data set, or those of the personas if it has any.

    If it has a folder `persona`, such as Anthropic/model-written-evals, only that counts.
    """
    match = ID.fullmatch(source)

    def choose(names: list[str], open_file=None) -> list[str]:
        files = [n for n in names if n.endswith(".jsonl")]
        files = [n for n in files if n.startswith("persona/")] or files
        return [n for n in files if pathlib.PurePosixPath(n).stem in personas] or files

    folder, names, _ = fetch(match["repo"], match["revision"], "dataset", choose)
    if not names:
        raise InputError(f"the hub's data set {match['repo']} has no .jsonl files")
    return [folder / name for name in sorted(names)]


def fetch(repo: str, revision: str | None, kind: str, choose):
    """Fetches the files that `choose` picks from a repository's names: (folder, names, commit)."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    api = HfApi()
    where = dict(repo_id=repo, repo_type=kind)
    try:
        info = api.repo_info(revision=revision, **where)

        def download(name: str) -> pathlib.Path:
            path = pathlib.Path(api.hf_hub_download(filename=name, revision=info.sha, **where))
            if not is_intact(path):
                print(f"note: the hub's copy {path} is damaged; fetched anew", file=sys.stderr)
                path.resolve().unlink()
                path = pathlib.Path(api.hf_hub_download(filename=name, revision=info.sha, **where))
            return path

        names = choose([s.rfilename for s in info.siblings], download)
        paths = [download(name) for name in names]
        if names and revision != info.sha:
            # Under its branch too, by which the copy is looked up without network.
            api.hf_hub_download(filename=names[0], revision=revision, **where)
    except InputError:
        raise
    except Exception as error:
        reason = explain(error, repo, revision, kind)
        if not is_unreachable(error):
            raise InputError(reason) from error
        try:
            # The files that an earlier run fetched serve as well.
            local = snapshot_download(revision=revision, local_files_only=True, **where)
        except (LocalEntryNotFoundError, ValueError, OSError):
            raise InputError(reason) from error
        folder = pathlib.Path(local)
        there = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
        names = choose(sorted(there), folder.joinpath)
        for name in names:
            if not is_intact(folder / name):
                raise InputError(
                    f"the hub's copy {folder / name} is damaged, and the hub cannot be reached; "
                    "delete it, and run again with network"
                ) from error
        return folder, names, folder.name
    folder = paths[0].parents[len(pathlib.PurePosixPath(names[0]).parts) - 1] if paths else None
    return folder, names, info.sha


def is_intact(path: pathlib.Path) -> bool:
    """Tells whether a file of the hub's cache has the hash that names it."""
    blob = path.resolve()
    if blob.parent.name != "blobs" or not blob.is_file():
        return True  # a copy, on a disk without links: no hash names it
    if len(blob.name) == SHA256:
        return cached_sha256(blob)[0] == blob.name
    if len(blob.name) == SHA1:
        content = blob.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() == blob.name
    return True


def is_unreachable(error: Exception) -> bool:
    """Tells whether the hub was not reached, rather than that it refused."""
    return getattr(error, "response", None) is None


def explain(error: Exception, repo: str, revision: str | None, kind: str) -> str:
    """Returns one line for an error of the hub's client: what is wrong, and what to do."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return (
            f"the hub's {repo} is gated: accept its terms on its page, then log in with "
            "`hf auth login` or set HF_TOKEN"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return f"the hub's {repo} has no revision {revision!r}"
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            f"there is no folder {repo!r} here and no {kind} of that id on the hub, or it is "
            "private: check the spelling, or log in with `hf auth login` or HF_TOKEN"
        )
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return f"the hub refuses {repo} (status {status}): log in with `hf auth login` or HF_TOKEN"
    first = " ".join(str(error).split())[:200]
    if is_unreachable(error):
        return (
            f"the hub cannot be reached for {repo} and no copy of it is on this disk ({first}); "
            "check the network, or give a local folder"
        )
    return f"the hub could not give {repo} ({first}); try again"

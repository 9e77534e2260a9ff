"""The Hugging Face hub: models and data sets by id, only the files needed, at a pinned commit."""

import hashlib
import pathlib
import re
import sys
from collections.abc import Callable
from typing import NamedTuple

from personascan.errors import InputError
from personascan.hashes import cached_sha256
from personascan.reading import read_json

ID = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(/(?P<file>[\w./-]+\.gguf))?(@(?P<revision>[\w./-]+))?")
SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
SHARD = re.compile(r".*\.safetensors")
GGUF_SHARD = re.compile(r"(?P<stem>.+)-\d{5}-of-(?P<count>\d{5})\.gguf")
SHA256, SHA1 = 64, 40  # digits of the names under which the hub's cache keeps contents


class Snapshot(NamedTuple):
    """Files of a hub repository on this disk."""

    path: pathlib.Path  # the folder, or the one file that was asked for
    revision: str  # the commit


def is_hub_id(source: str) -> bool:
    """Whether a source is spelled ORG/NAME, ORG/NAME@REVISION or ORG/NAME/FILE.gguf."""
    return ID.fullmatch(source) is not None


def fetch_model(source: str, describes: Callable[[str], bool], weights: bool = True) -> Snapshot:
    """The files that make a model, or without weights its configuration and tokenizer.

    describes: whether a file, by its name in the repository, is read beside the weights.

    Raises InputError for a repository that is missing, gated (how to log in) or out of reach.
    """
    named = ID.fullmatch(source)
    file = named["file"]

    def choose(names: list[str], open_file=None) -> list[str]:
        if file:
            return [name for name in names if same_file(name, file)]
        of_model = [name for name in names if describes(name)]
        return of_model + (weight_files(names, open_file) if weights else [])

    folder, names, revision = fetch(named["repo"], named["revision"], "model", choose)
    if not names:
        wanted = file or "config.json and safetensors files"
        raise InputError(f"the hub's {named['repo']} has no {wanted}; choose another source")
    return Snapshot(folder / file if file else folder, revision)


def same_file(name: str, wanted: str) -> bool:
    """Whether a file is the wanted one, or another part of the split file it is a part of."""
    a, b = GGUF_SHARD.fullmatch(name), GGUF_SHARD.fullmatch(wanted)
    return name == wanted or bool(a and b and a.groupdict() == b.groupdict())


def weight_files(names: list[str], open_file) -> list[str]:
    """The single file, else the index and what it names; `open_file` brings a file to this disk."""
    if SINGLE in names:
        return [SINGLE]
    if INDEX not in names:
        return []
    if open_file is None:  # not to be had now: every shard there is
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
    """The .jsonl files of a data set; those of the personas, if it has such files.

    In a data set with a folder `persona`, such as Anthropic/model-written-evals, only that counts.
    """
    named = ID.fullmatch(source)

    def choose(names: list[str], open_file=None) -> list[str]:
        files = [n for n in names if n.endswith(".jsonl")]
        files = [n for n in files if n.startswith("persona/")] or files
        return [n for n in files if pathlib.PurePosixPath(n).stem in personas] or files

    folder, names, _ = fetch(named["repo"], named["revision"], "dataset", choose)
    if not names:
        raise InputError(f"the hub's data set {named['repo']} has no .jsonl files")
    return [folder / name for name in sorted(names)]


def fetch(repo: str, revision: str | None, kind: str, choose):
    """(folder, names, commit) of the files that `choose` takes of a repository's names."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    api = HfApi()
    where = dict(repo_id=repo, repo_type=kind)
    try:
        found = api.repo_info(revision=revision, **where)

        def bring(name: str) -> pathlib.Path:
            path = pathlib.Path(api.hf_hub_download(filename=name, revision=found.sha, **where))
            if not has_its_hash(path):
                print(f"note: the hub's copy {path} is damaged; fetched anew", file=sys.stderr)
                path.resolve().unlink()
                path = pathlib.Path(api.hf_hub_download(filename=name, revision=found.sha, **where))
            return path

        names = choose([s.rfilename for s in found.siblings], bring)
        paths = [bring(name) for name in names]
        if names and revision != found.sha:
            # By its branch as well, under which the copy is looked for without network.
            api.hf_hub_download(filename=names[0], revision=revision, **where)
    except InputError:
        raise
    except Exception as error:
        reason = explain(error, repo, revision, kind)
        if not out_of_reach(error):
            raise InputError(reason) from error
        try:
            # What an earlier run brought is as good.
            local = snapshot_download(revision=revision, local_files_only=True, **where)
        except (LocalEntryNotFoundError, ValueError, OSError):
            raise InputError(reason) from error
        folder = pathlib.Path(local)
        there = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
        names = choose(sorted(there), folder.joinpath)
        for name in names:
            if not has_its_hash(folder / name):
                raise InputError(
                    f"the hub's copy {folder / name} is damaged, and the hub cannot be reached; "
                    "delete it, and run again with network"
                ) from error
        return folder, names, folder.name
    folder = paths[0].parents[len(pathlib.PurePosixPath(names[0]).parts) - 1] if paths else None
    return folder, names, found.sha


def has_its_hash(path: pathlib.Path) -> bool:
    """Whether a file of the hub's cache has the hash that it is kept under."""
    kept = path.resolve()
    if kept.parent.name != "blobs" or not kept.is_file():
        return True  # copied, where links are not to be had: there is no hash to compare with
    if len(kept.name) == SHA256:
        return cached_sha256(kept)[0] == kept.name
    if len(kept.name) == SHA1:
        content = kept.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() == kept.name
    return True


def out_of_reach(error: Exception) -> bool:
    """Whether the hub was not reached at all, rather than refusing."""
    return getattr(error, "response", None) is None


def explain(error: Exception, repo: str, revision: str | None, kind: str) -> str:
    """One line for what the hub's client raised: what is wrong, and what to do."""
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
    if out_of_reach(error):
        return (
            f"the hub cannot be reached for {repo} and no copy of it is on this disk ({first}); "
            "check the network, or give a local folder"
        )
    return f"the hub could not give {repo} ({first}); try again"

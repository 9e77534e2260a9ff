"""The Hugging Face hub: models and data sets by id, only the files needed, at a pinned commit."""

import pathlib
import re
from typing import NamedTuple

from personascan.errors import InputError

ID = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(/(?P<file>[\w./-]+\.gguf))?(@(?P<revision>[\w./-]+))?")
MODEL_FILE = re.compile(
    r"config\.json|model\.safetensors(\.index\.json)?|model-\d+-of-\d+\.safetensors"
    r"|tokenizer.*|special_tokens_map\.json|added_tokens\.json|vocab\.(json|txt)|merges\.txt"
    r"|chat_template\.\w+"
)
WEIGHTS = re.compile(r".*\.(safetensors|gguf)")


class Snapshot(NamedTuple):
    """Files of a hub repository on this disk."""

    path: pathlib.Path  # the folder, or the one file that was asked for
    revision: str  # the commit


def is_hub_id(source: str) -> bool:
    """Whether a source is spelled ORG/NAME, ORG/NAME@REVISION or ORG/NAME/FILE.gguf."""
    return ID.fullmatch(source) is not None


def fetch_model(source: str, weights: bool = True) -> Snapshot:
    """The files that make a model, or without weights its configuration and tokenizer.

    Raises InputError for a repository that is missing, gated (how to log in) or out of reach.
    """
    named = ID.fullmatch(source)
    file = named["file"]

    def choose(names: list[str]) -> list[str]:
        if file:
            return [name for name in names if name == file]
        of_model = [name for name in names if MODEL_FILE.fullmatch(name)]
        return [name for name in of_model if weights or not WEIGHTS.fullmatch(name)]

    folder, names, revision = fetch(named["repo"], named["revision"], "model", choose)
    if not names:
        wanted = file or "config.json and safetensors files"
        raise InputError(f"the hub's {named['repo']} has no {wanted}; choose another source")
    return Snapshot(folder / file if file else folder, revision)


def fetch_statements(source: str, personas: tuple[str, ...] = ()) -> list[pathlib.Path]:
    """The .jsonl files of a data set; those of the personas, if it has such files.

    In a data set with a folder `persona`, such as Anthropic/model-written-evals, only that counts.
    """
    named = ID.fullmatch(source)

    def choose(names: list[str]) -> list[str]:
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
        names = choose([s.rfilename for s in found.siblings])
        paths = [
            pathlib.Path(api.hf_hub_download(filename=name, revision=found.sha, **where))
            for name in names
        ]
        if names and revision != found.sha:
            # By its branch as well, under which the copy is looked for without network.
            api.hf_hub_download(filename=names[0], revision=revision, **where)
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
        return folder, choose(sorted(there)), folder.name
    folder = paths[0].parents[len(pathlib.PurePosixPath(names[0]).parts) - 1] if paths else None
    return folder, names, found.sha


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

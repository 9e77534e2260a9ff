"""Execute the notebooks of docs/notebooks and keep what they print: python scripts/notebooks.py

At full size about two minutes each on two cores. Written back without times, counts of other
sessions or anything of this machine, so that a change of a notebook shows in its diff alone.
"""

from personascan.command import needs_extra, run  # first: a signal is answered from here on

import os
import pathlib
import tempfile
import time

from absl import flags

import personascan
from personascan.files import whole_file
from personascan.visible import visible

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "docs" / "notebooks"
ONLY = flags.DEFINE_list("only", [], "Some of them by name, without .ipynb; none: all.")
SMALL = flags.DEFINE_bool("small", False, "Few statements and permutations, as the tests have it.")
OUT = flags.DEFINE_string("out", str(FOLDER), "The folder to write; default: in place.")
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace notebooks that are in another folder.")
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def main(_) -> None:
    with needs_extra("notebooks"):
        import nbformat
        from nbclient import NotebookClient

    known = {path.stem: path for path in sorted(FOLDER.glob("*.ipynb"))}
    for name in ONLY.value:
        if name not in known:
            raise personascan.InputError(f"there is no notebook {name!r}: {', '.join(known)}")
    own = pathlib.Path(OUT.value).resolve() == FOLDER
    for name in ONLY.value or known:
        path = pathlib.Path(OUT.value) / known[name].name
        if path.exists() and not (own or OVERWRITE.value):
            raise personascan.InputError(f"{path} exists already; use --overwrite to replace it")
    for name in ONLY.value or known:
        begun = time.monotonic()
        notebook = nbformat.read(known[name], as_version=4)
        # Elsewhere, so that nothing hangs on what lies in the working directory.
        with tempfile.TemporaryDirectory() as elsewhere:
            os.environ |= {"PERSONASCAN_SMALL": str(int(SMALL.value)), "IPYTHONDIR": elsewhere}
            NotebookClient(
                notebook, timeout=None, record_timing=False, coalesce_streams=True,
                resources={"metadata": {"path": elsewhere}},
            ).execute()  # fmt: skip
        notebook.metadata = nbformat.from_dict(METADATA)
        for cell in notebook.cells:
            cell.metadata = nbformat.from_dict({})
        path = pathlib.Path(OUT.value) / known[name].name
        with whole_file(path, overwrite=True) as file:
            file.write((nbformat.writes(notebook) + "\n").encode())
        print(f"{visible(str(path))}: {time.monotonic() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    run(main, heavy=())

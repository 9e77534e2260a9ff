"""How damage is done and counted: flipped bits, files cut short, and what came of them."""

import dataclasses
import pathlib

SCRIPTS = pathlib.Path(__file__).parents[1] / "scripts"
# Limits the size of files, then becomes the command.
STARVED = """
import os, resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
os.execv(sys.argv[2], sys.argv[2:])
"""


@dataclasses.dataclass
class Tally:
    """What came of one kind of damage."""

    kind: str
    tried: int = 0
    anew: int = 0  # a kept copy was replaced, with a notice
    refused: int = 0  # with one line that names the file
    unchanged: int = 0  # the same result all the same
    lost: int = 0

    def record(self) -> dict:
        return dataclasses.asdict(self)


def flip(path: pathlib.Path, rng) -> None:
    """Turn one bit of a file."""
    content = bytearray(path.read_bytes())
    if content:
        content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
        path.write_bytes(content)

"""The memory that is free, and errors for work that would not fit, before it starts."""

import contextlib
import pathlib
import sys

from personascan.errors import InputError

# Files with the limit and the use of a control group, in the new layout and the old.
GROUP_FILES = (
    ("/sys/fs/cgroup", "memory.max", "memory.current"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
)


def free_bytes() -> int:
    """Returns the bytes that this process can have without swapping.

    They are the least left by the machine, the control group and the process's own limit.
    """
    free = [available_bytes()]
    for folder, limit, used in GROUP_FILES:
        with contextlib.suppress(OSError, ValueError):
            free.append(group_free(pathlib.Path(folder), limit, used))
    with contextlib.suppress(ImportError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            import psutil

            free.append(limit - psutil.Process().memory_info().vms)
    return max(0, min(free))


def available_bytes() -> int:
    """Returns the bytes of the machine that are free or can be freed; Linux needs no psutil."""
    try:
        import psutil
    except ModuleNotFoundError:
        lines = pathlib.Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        (line,) = (line for line in lines if line.startswith("MemAvailable:"))
        return 1024 * int(line.split()[1])
    return psutil.virtual_memory().available


def group_free(folder: pathlib.Path, limit: str, used: str) -> int:
    """Returns the bytes that a control group has left; copies of files that can go are free."""
    allowed, in_use = (int((folder / name).read_text(encoding="ascii")) for name in (limit, used))
    lines = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
    stat = dict(line.split() for line in lines)
    copies = int(stat.get("total_inactive_file", stat.get("inactive_file", 0)))
    return allowed - in_use + copies


def refuse_too_much(subject: str, needed: int, advice: str, say: bool = False) -> None:
    """Raises InputError if the subject needs more bytes than are free; prints the need if asked."""
    free = free_bytes()
    need = f"{subject} needs about {human_bytes(needed)}"
    if needed > free:
        raise InputError(f"{need} but {human_bytes(free)} are free; {advice}")
    if say:
        print(f"{need} of memory, {human_bytes(free)} are free", file=sys.stderr)


def human_bytes(count: int) -> str:
    """Returns a number of bytes as text, in GiB, MiB or KiB."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1024:.1f} KiB"

"""How much memory there is, and refusing, before it starts, what would not fit."""

import contextlib
import pathlib
import sys

from personascan.errors import InputError

# What a control group allows its processes and what they use, in the new layout and the old.
GROUP_FILES = (
    ("/sys/fs/cgroup", "memory.max", "memory.current"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
)


def free_bytes() -> int:
    """Memory that this process can have without swapping: of the machine, its group, its limit."""
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
    """Memory of the machine that is free or can be freed; Linux says so without psutil too."""
    try:
        import psutil
    except ModuleNotFoundError:
        lines = pathlib.Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        (line,) = (line for line in lines if line.startswith("MemAvailable:"))
        return 1024 * int(line.split()[1])
    return psutil.virtual_memory().available


def group_free(folder: pathlib.Path, limit: str, used: str) -> int:
    """What a control group has left; copies of files that the system would give up are free."""
    allowed, taken = (int((folder / name).read_text(encoding="ascii")) for name in (limit, used))
    lines = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
    stat = dict(line.split() for line in lines)
    copies = int(stat.get("total_inactive_file", stat.get("inactive_file", 0)))
    return allowed - taken + copies


def refuse_too_much(what: str, needed: int, instead: str, say: bool = False) -> None:
    """Raise InputError where `what` needs more than is free now; or, if asked, say how much."""
    free = free_bytes()
    need = f"{what} needs about {human_bytes(needed)}"
    if needed > free:
        raise InputError(f"{need} but {human_bytes(free)} are free; {instead}")
    if say:
        print(f"{need} of memory, {human_bytes(free)} are free", file=sys.stderr)


def human_bytes(count: int) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1024:.1f} KiB"

"""Bars on calls that take more than two seconds; scripts and studies have their own."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import TypeVar

DELAY = 2  # seconds before a bar shows
shown = True

Item = TypeVar("Item")


def bar(items: Iterable[Item], what: str) -> Iterator[Item]:
    """Yields the items, with a bar on standard error once they have taken two seconds."""
    if not shown:
        yield from items
        return
    from tqdm import tqdm  # not before: most calls end sooner

    yield from tqdm(items, desc=what, delay=DELAY, leave=False)


@contextlib.contextmanager
def hidden() -> Iterator[None]:
    """Shows no bar and no notice inside, where a larger task has a bar of its own."""
    global shown
    before, shown = shown, False
    try:
        yield
    finally:
        shown = before

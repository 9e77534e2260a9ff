"""The one exception that means: the input is at fault, and the message says what to do."""

import sys

from personascan.visible import visible


class InputError(ValueError):
    """Something the caller gave is wrong. The message is one line: what is wrong, what to do.

    What it quotes of the input is shown, not acted on: it holds no control characters.
    """

    def __str__(self) -> str:
        return visible(" ".join(super().__str__().split("\n")))


def silence_interrupts_in_callbacks() -> None:
    """Silences a KeyboardInterrupt inside JAX's callback of garbage collection.

    Nothing can be raised there, and Python would print its traceback; `unwind` raises it again.
    """
    sys.unraisablehook = report_unless_interrupt


def report_unless_interrupt(unraisable) -> None:
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)

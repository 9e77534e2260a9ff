"""InputError, which says what is wrong with the input and what to do, and JAX's interrupts."""

import sys

from personascan.visible import visible


class InputError(ValueError):
    """An input is wrong. The message is one line that says what is wrong and what to do.

    Text that it quotes from the input is made visible: it holds no control characters.
    """

    def __str__(self) -> str:
        return visible(" ".join(super().__str__().split("\n")))


def silence_interrupts_in_callbacks() -> None:
    """Silences a KeyboardInterrupt inside JAX's callback of garbage collection.

    Nothing can be raised there, and Python would print its traceback; `unwind` raises it again.
    """
    sys.unraisablehook = report_unless_interrupt


def report_unless_interrupt(unraisable) -> None:
    """Reports an exception that cannot be raised, unless it is an interrupt."""
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)

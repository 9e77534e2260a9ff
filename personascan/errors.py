"""The one exception that means: the input is at fault, and the message says what to do."""

from personascan.visible import visible


class InputError(ValueError):
    """Something the caller gave is wrong. The message is one line: what is wrong, what to do.

    What it quotes of the input is shown, not acted on: it holds no control characters.
    """

    def __str__(self) -> str:
        return visible(" ".join(super().__str__().split("\n")))

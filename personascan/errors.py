"""The one exception that means: the input is at fault, and the message says what to do."""


class InputError(ValueError):
    """Something the caller gave is wrong. The message is one line: what is wrong, what to do."""

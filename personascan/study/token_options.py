"""The options of what a study says of a direction: its tokens in statements and in logits."""

from dataclasses import dataclass

from personascan.errors import InputError


@dataclass(frozen=True)
class TokenOptions:
    """How many statements are read token by token, and how many promoted tokens are kept."""

    # Of each direction the most surprising ones, and as many typical ones; 0: none is read.
    statements: int = 10
    promoted: int = 15  # tokens that a direction promotes most, and suppresses most; 0: none
    draws: int = 100  # random directions, and shuffled ones, that promoted tokens are set beside


def check_tokens(options: TokenOptions) -> None:
    """Raises InputError, with the option's dotted name, for a value that is not possible."""
    for name in ("statements", "promoted"):
        if getattr(options, name) < 0:
            raise InputError(f"config.tokens.{name} = {getattr(options, name)}; use 0 or more")
    if not 19 <= options.draws <= 10_000:
        raise InputError(
            f"config.tokens.draws = {options.draws}; use 19 (fewer reach no p of 0.05) to 10000"
        )

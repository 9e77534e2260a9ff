"""The side of a statement, by the word that its source has for it."""

from typing import Any

from personascan.errors import InputError

# How a direction is written; as text in any case, spaces around it ignored.
DIRECTIONS = {
    **dict.fromkeys(("positive", "pos", "+", "+1", "1", "1.0", "true", "yes"), True),
    **dict.fromkeys(("negative", "neg", "-", "-1", "0", "0.0", "false", "no"), False),
}
UNDERSTOOD = "positive or negative, + or -, 1 or 0, True or False, Yes or No"
OTHER_WORDS = "or name the positive side's own word (positive=WORD, --positive=WORD)"


def direction_of(value: Any, where: str) -> bool:
    """Returns True for positive, False for negative. Raises InputError for any other word."""
    direction = DIRECTIONS.get(plain(value))
    if direction is None:
        raise InputError(f"{where}: the direction is {value!r}; use {UNDERSTOOD}")
    return direction


def plain(word: Any) -> str:
    """Returns a word as it is looked for: in lower case, without spaces around it."""
    return str(word).strip().lower()


class Sides:
    """Which words are positive: those of DIRECTIONS, or one that is named, beside one other."""

    def __init__(self, positive: str = ""):
        self.named, self.other, self.seen = positive, "", False

    def positive(self, value: Any, where: str) -> bool:
        """Returns whether a word is the positive side's. Raises InputError for a third word."""
        word = plain(value)
        if plain(self.named) == "":
            if word not in DIRECTIONS:
                raise InputError(
                    f"{where}: the direction is {value!r}; use {UNDERSTOOD}, {OTHER_WORDS}"
                )
            return DIRECTIONS[word]
        if word == plain(self.named):
            self.seen = True
            return True
        self.other = self.other or word
        if word != self.other:
            raise InputError(
                f"{where}: the direction is {value!r}, a third word beside {self.named!r} and "
                f"{self.other!r}; keep the rows of two"
            )
        return False

    def marked(self, value: Any) -> str:
        """Returns a word as the source writes it, where the positive side's is named; else ""."""
        return str(value).strip() if plain(self.named) else ""

    def refuse_unseen(self, source: Any) -> None:
        """Raises InputError if no row has the word that is named."""
        if plain(self.named) and not self.seen:
            raise InputError(
                f"no direction in {source} is {self.named!r}; all are {self.other!r}: name that, "
                "or add the rows of the positive side"
            )

    def are_keys(self, keys: Any) -> bool:
        """Returns whether names are those of lists by direction."""
        known = DIRECTIONS if plain(self.named) == "" else {plain(self.named): True}
        names = [plain(key) for key in keys]
        pair = plain(self.named) in names and len(names) == 2
        return all(name in known for name in names) or pair

    def refuse_keys(self, keys: Any) -> None:
        """Raises InputError for lists by direction whose names are none."""
        if self.are_keys(keys):
            return
        raise InputError(
            f"the keys are {', '.join(map(repr, keys))}; use {{'positive': texts, 'negative': "
            f"texts}}, {OTHER_WORDS}; a table is a DataFrame, or a list of dicts with text and "
            "direction"
        )

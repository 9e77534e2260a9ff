"""Reading a foreign configuration strictly: what is not handled is refused by name."""

from personascan.errors import InputError

# Settings of training, generation and file handling, which do not change a forward pass.
HF_NEUTRAL = {
    "_name_or_path",
    "architectures",
    "attention_dropout",
    "bos_token_id",
    "dtype",
    "eos_token_id",
    "initializer_range",
    "model_type",
    "pad_token_id",
    "torch_dtype",
    "transformers.js_config",
    "transformers_version",
    "use_cache",
}


def refuse_unhandled(raw: dict, used: set, fixed: dict, where: str) -> None:
    """Every key of `raw` is in `used`, or in `fixed` with that very value; else an InputError.

    A fixed key may also be absent or None, which stands for the family's default.
    """
    for key, value in raw.items():
        if key in fixed:
            if value is not None and value not in fixed[key]:
                allowed = " or ".join(repr(v) for v in fixed[key])
                raise InputError(
                    f"{where}: {key} = {value!r} is not supported (only {allowed}); "
                    "use a checkpoint without it"
                )
        elif key not in used:
            raise InputError(
                f"{where}: the key {key!r} (= {value!r}) is not handled by personascan"
            )


def size(raw: dict, key: str, where: str) -> int:
    """A positive whole number that must be there."""
    value = require(raw, key, where)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f"{where}: {key} = {value!r} is not a positive whole number")
    return value


def require(raw: dict, key: str, where: str):
    """The value of a key that must be there."""
    if raw.get(key) is None:
        raise InputError(f"{where}: the key {key!r} is missing; the file is not complete")
    return raw[key]

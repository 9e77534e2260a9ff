"""The tokenizer of a Hugging Face folder: its tokenizer.json, whatever class the folder names."""

import pathlib
from typing import Any

from personascan.errors import InputError
from personascan.reading import is_file, read_json, refuse_special

FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja",
    "chat_template.json", "tokenizer.model", "added_tokens.json", "vocab.json", "vocab.txt",
    "merges.txt",
)  # fmt: skip
NAMED_TEMPLATES = "additional_chat_templates"
SPECIAL = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token",
           "mask_token")  # fmt: skip


def tokenizer_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """The files of a folder that decide its token ids and prompts."""
    found = [folder / name for name in FILES]
    found += sorted((folder / NAMED_TEMPLATES).glob("*.jinja"))
    for file in found:
        refuse_special(file)
    return [file for file in found if is_file(file)]


def folder_tokenizer(folder: pathlib.Path) -> Any:
    """The tokenizer of a local folder; no code that the folder may hold is run.

    tokenizer.json alone decides the ids: Transformers builds some of its classes anew from parts of
    that file, and then gives others. Raises InputError for a folder without a readable tokenizer.
    """
    files = {file.name for file in tokenizer_files(folder)}
    settings = (
        read_json(folder / "tokenizer_config.json") if "tokenizer_config.json" in files else {}
    )
    if "tokenizer.json" not in files:
        return built_by_transformers(folder)
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    try:
        backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the binding raises nothing more precise
        raise unreadable(folder, error) from error
    # A statement that is too long is refused later, not cut.
    backend.no_truncation()
    backend.no_padding()
    special = {name: text for name in SPECIAL if (text := token_text(settings.get(name)))}
    try:
        made = PreTrainedTokenizerFast(
            tokenizer_object=backend,
            chat_template=chat_templates(folder, settings),
            clean_up_tokenization_spaces=False,
            **special,
        )
    except Exception as error:
        raise unreadable(folder, error) from error
    made._tokenizer = backend  # it was copied, and special tokens were added to the copy
    return made


def built_by_transformers(folder: pathlib.Path) -> Any:
    """A tokenizer that Transformers builds from the files of before tokenizer.json."""
    from transformers import AutoTokenizer

    from personascan.models.families.keys import silent_transformers

    try:
        with silent_transformers():
            return AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
    except Exception as error:
        raise unreadable(folder, error) from error


def unreadable(folder: pathlib.Path, error: Exception) -> InputError:
    first_line = str(error).strip().split("\n")[0]
    return InputError(
        f"no tokenizer can be read from {folder} ({first_line}); it needs tokenizer.json and "
        "tokenizer_config.json"
    )


def token_text(spelled) -> str | None:
    """A special token, spelled as text or with its settings."""
    content = spelled.get("content") if isinstance(spelled, dict) else spelled
    return content if isinstance(content, str) else None


def chat_templates(folder: pathlib.Path, settings: dict) -> str | dict[str, str] | None:
    """The chat template, or several by name; a file of its own goes before tokenizer_config.json.

    In the order in which Transformers looks for them.
    """
    try:
        named = {
            file.stem: file.read_text(encoding="utf-8")
            for file in sorted((folder / NAMED_TEMPLATES).glob("*.jinja"))
        }
        if is_file(folder / "chat_template.jinja"):
            named["default"] = (folder / "chat_template.jinja").read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InputError(f"a chat template of {folder} cannot be read ({error})") from error
    if named:
        return named["default"] if list(named) == ["default"] else named
    found = settings.get("chat_template")
    if found is None and is_file(folder / "chat_template.json"):
        found = read_json(folder / "chat_template.json").get("chat_template")
    if isinstance(found, list):
        try:
            return {entry["name"]: entry["template"] for entry in found}
        except (KeyError, TypeError) as error:
            raise InputError(
                f"{folder}: chat_template is a list that does not give names and templates"
            ) from error
    if found is not None and not isinstance(found, str):
        raise InputError(f"{folder}: chat_template is no text; correct tokenizer_config.json")
    return found

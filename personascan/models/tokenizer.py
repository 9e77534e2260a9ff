"""The tokenizer of a Hugging Face folder: its tokenizer.json, whatever class the folder names."""

import inspect
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
    settings = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        if name in files:
            settings |= read_json(folder / name)
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
    if getattr(backend.model, "dropout", None):
        backend.model.dropout = None  # of training: other ids at every call
    special, more = special_tokens(settings, backend)
    try:
        made = PreTrainedTokenizerFast(
            tokenizer_object=backend,
            chat_template=chat_templates(folder, settings),
            clean_up_tokenization_spaces=False,
            template_tokens=more,
            **special,
        )
    except Exception as error:
        raise unreadable(folder, error) from error
    made._tokenizer = backend  # it was copied, and special tokens were added to the copy
    return made


def special_tokens(settings: dict, backend) -> tuple[dict[str, str], dict[str, str]]:
    """Special tokens by their usual names, and more that templates may write.

    What the settings leave out is as the tokenizer class that they name has it.
    """
    defaults = class_tokens(settings.get("tokenizer_class"))
    found = {k: v for k, v in defaults.items() if backend.token_to_id(v) is not None}
    found |= {name: text for name in SPECIAL if (text := token_text(settings.get(name)))}
    more = {name: token_text(value) for name, value in settings.items() if name.endswith("_token")}
    for key in ("extra_special_tokens", "model_specific_special_tokens"):
        if isinstance(settings.get(key), dict):
            more |= {name: token_text(value) for name, value in settings[key].items()}
    return found, {name: text for name, text in more.items() if text and name not in found}


def class_tokens(name) -> dict[str, str]:
    """The special tokens that a tokenizer class of Transformers has if nobody says otherwise."""
    import transformers

    found = getattr(transformers, name, None) if isinstance(name, str) else None
    if not isinstance(found, type) or not issubclass(found, transformers.PreTrainedTokenizerBase):
        return {}
    defaults = inspect.signature(found.__init__).parameters
    values = {name: getattr(defaults.get(name), "default", None) for name in SPECIAL}
    return {name: str(value) for name, value in values.items() if isinstance(value, str)}


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
        named = [(e.get("name"), e.get("template")) for e in found if isinstance(e, dict)]
        texts = all(isinstance(part, str) for pair in named for part in pair)
        if not texts or len(dict(named)) < len(found):
            raise InputError(
                f"{folder}: chat_template is a list that does not give distinct names and templates"
            )
        return dict(named)
    if found is not None and not isinstance(found, str):
        raise InputError(f"{folder}: chat_template is no text; correct tokenizer_config.json")
    return found

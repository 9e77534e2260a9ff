"""The tokenizer of a Hugging Face folder: its tokenizer.json, whatever class the folder names."""

import inspect
import pathlib
from typing import Any

from personascan.errors import InputError
from personascan.reading import is_file, read_json, refuse_special

# All files that decide a folder's token ids and prompts: the list for fetching, hashing, copying.
FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "chat_template.jinja", "chat_template.json",
    "vocab.json", "vocab.txt", "merges.txt", "bpe.codes", "tokenizer.model", "spiece.model",
    "sentencepiece.bpe.model", "tiktoken.model", "tekken.json",
)  # fmt: skip
# Transformers reads these under whatever name a tokenizer class has for its vocabulary.
ANY_CLASS = {"tokenizer.model", "tiktoken.model", "tekken.json"}
NAMED_TEMPLATES = "additional_chat_templates"
SPECIAL = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token",
           "mask_token")  # fmt: skip


def is_tokenizer_file(name: str) -> bool:
    """Returns whether a file, by its path in its folder, decides token ids or prompts."""
    path = pathlib.PurePosixPath(name)
    named_template = str(path.parent) == NAMED_TEMPLATES and path.suffix == ".jinja"
    return name in FILES or named_template


def tokenizer_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the files of a folder that decide its token ids and prompts."""
    candidates = [folder / name for name in FILES]
    candidates += sorted((folder / NAMED_TEMPLATES).glob("*.jinja"))
    for file in candidates:
        refuse_special(file)
    return [file for file in candidates if is_file(file)]


def folder_tokenizer(folder: pathlib.Path) -> Any:
    """Returns the tokenizer of a local folder; no code that the folder may hold is run.

    tokenizer.json alone decides the ids: Transformers builds some of its classes anew from parts of
    that file, and then gives others. Raises InputError for a folder without a readable tokenizer.
    """
    files = {file.name for file in tokenizer_files(folder)}
    settings = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        if name in files:
            settings |= read_json(folder / name)
    if "tokenizer.json" not in files:
        return build_with_transformers(folder, files)
    if settings.get("split_special_tokens"):
        raise InputError(
            f"{folder}: tokenizer_config.json has split_special_tokens, which is not handled by "
            "personascan; remove it"
        )
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    try:
        backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the binding raises nothing more precise
        raise unreadable_error(folder, error) from error
    # A statement that is too long is refused later, not cut.
    backend.no_truncation()
    backend.no_padding()
    if getattr(backend.model, "dropout", None):
        backend.model.dropout = None  # of training: other ids at every call
    special, more = special_tokens(settings, backend)
    try:
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=backend,
            chat_template=chat_templates(folder, settings),
            clean_up_tokenization_spaces=False,
            template_tokens=more,
            **special,
        )
    except Exception as error:
        raise unreadable_error(folder, error) from error
    refuse_empty(tokenizer, str(folder))
    tokenizer._tokenizer = backend  # it was copied, and special tokens were added to the copy
    return tokenizer


def special_tokens(settings: dict, backend) -> tuple[dict[str, str], dict[str, str]]:
    """Returns special tokens by their usual names, and more that templates may write.

    A token that the settings leave out is that of the tokenizer class they name.
    """
    defaults = class_tokens(settings.get("tokenizer_class"))
    usual = {k: v for k, v in defaults.items() if backend.token_to_id(v) is not None}
    usual |= {name: text for name in SPECIAL if (text := token_text(settings.get(name)))}
    more = {name: token_text(value) for name, value in settings.items() if name.endswith("_token")}
    for key in ("extra_special_tokens", "model_specific_special_tokens"):
        if isinstance(settings.get(key), dict):
            more |= {name: token_text(value) for name, value in settings[key].items()}
    return usual, {name: text for name, text in more.items() if text and name not in usual}


def class_tokens(name) -> dict[str, str]:
    """Returns the default special tokens of a tokenizer class of Transformers."""
    import transformers

    cls = getattr(transformers, name, None) if isinstance(name, str) else None
    if not isinstance(cls, type) or not issubclass(cls, transformers.PreTrainedTokenizerBase):
        return {}
    defaults = inspect.signature(cls.__init__).parameters
    values = {name: getattr(defaults.get(name), "default", None) for name in SPECIAL}
    return {name: str(value) for name, value in values.items() if isinstance(value, str)}


def build_with_transformers(folder: pathlib.Path, files: set[str]) -> Any:
    """Returns the tokenizer that Transformers builds from files older than tokenizer.json.

    If these are missing it builds one without complaint, which then knows no word.
    """
    from transformers import AutoTokenizer

    from personascan.models.families.keys import silent_transformers

    try:
        with silent_transformers():
            tokenizer = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
    except Exception as error:
        raise unreadable_error(folder, error) from error
    named = set(tokenizer.vocab_files_names.values()) - {"tokenizer.json"}
    if not files & ANY_CLASS and not (named and named <= files):
        missing = ", ".join(sorted(named - files)) or "tokenizer.model"
        raise unreadable_error(folder, f"{type(tokenizer).__name__} misses {missing}")
    refuse_empty(tokenizer, str(folder))
    return tokenizer


def refuse_empty(tokenizer, where: str) -> None:
    """Raises InputError if a tokenizer knows special tokens only, to which all texts are alike."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    size = backend.get_vocab_size(with_added_tokens=False) if backend else len(tokenizer)
    if size <= len(set(tokenizer.all_special_tokens)):
        raise InputError(
            f"{where}: the tokenizer knows no tokens but special ones; download its files again"
        )


def unreadable_error(folder: pathlib.Path, error: Exception | str) -> InputError:
    first_line = str(error).strip().split("\n")[0]
    return InputError(
        f"no tokenizer can be read from {folder} ({first_line}); it needs tokenizer.json and "
        "tokenizer_config.json"
    )


def token_text(spelled) -> str | None:
    """Returns a special token that is given as text or with its settings."""
    content = spelled.get("content") if isinstance(spelled, dict) else spelled
    return content if isinstance(content, str) else None


def chat_templates(folder: pathlib.Path, settings: dict) -> str | dict[str, str] | None:
    """Returns the chat template, or several by name, in the order in which Transformers looks.

    A file of its own goes before tokenizer_config.json.
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
    template = settings.get("chat_template")
    if template is None and is_file(folder / "chat_template.json"):
        template = read_json(folder / "chat_template.json").get("chat_template")
    if isinstance(template, list):
        named = [(e.get("name"), e.get("template")) for e in template if isinstance(e, dict)]
        texts = all(isinstance(part, str) for pair in named for part in pair)
        if not texts or len(dict(named)) < len(template):
            raise InputError(
                f"{folder}: chat_template is a list that does not give distinct names and templates"
            )
        return dict(named)
    if template is not None and not isinstance(template, str):
        raise InputError(f"{folder}: chat_template is not text; correct tokenizer_config.json")
    return template

"""The tokenizer of a GGUF file, rebuilt from its metadata."""

import re

import numpy as np

from personascan.errors import InputError
from personascan.models.tokenizer import refuse_empty

CONTROL, USER_DEFINED = 3, 4  # token types of the GGUF format
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
ENDING = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
CASED = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+%s|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*%s|\p{{N}}%s"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# tokenizer.ggml.pre -> the pattern by which these models' tokenizers split words: "" is GPT-2's,
# "digits" GPT-2's after digits are split one by one, "threes" GPT-2's after punctuation is split
# off, with digits by threes.
PATTERNS = {
    **dict.fromkeys(("gpt-2", "gpt2", "phi-2", "olmo", "mpt"), ""),
    **dict.fromkeys(("smollm", "starcoder", "refact", "command-r"), "digits"),
    **dict.fromkeys(
        ("llama-bpe", "llama3", "llama-v3", "dbrx", "smaug-bpe", "chatglm-bpe", "glm4", "falcon3"),
        WORDS % "{1,3}",
    ),
    **dict.fromkeys(("qwen2", "stablelm2", "deepseek-r1-qwen"), WORDS % ""),
    "gpt-4o": CASED % (ENDING, ENDING, "{1,3}"),
    "tekken": CASED % ("", "", ""),
    "falcon": "threes",
}
# These compose characters first; GPT-NeoX's tokenizer has two of these names.
COMPOSED = ("qwen2", "command-r", "deepseek-r1-qwen", "olmo", "mpt")
# Here a word of the vocabulary stays whole, and a text has a first token unless the file denies it.
WHOLE_WORDS = ("llama-bpe", "llama3", "llama-v3", "falcon3", "tekken")
# The fields `tokenizer.*` that are read here.
READ = re.compile(
    r"ggml\.(model|pre|tokens|token_type|scores|merges|add_(bos|eos)_token|add_space_prefix"
    r"|(bos|eos|eot|eom|unknown|padding)_token_id|eos_token_ids)|chat_templates?(\..+)?"
)
# Fields that change no token of a text.
NEUTRAL = re.compile(
    r"ggml\.(token_type_count|(sep\w+|mask|cls|fim_\w+|prefix|suffix|middle)_token_id)"
    r"|huggingface\.json"
)
# Fields that change none while they are false or empty; all others are refused.
OFF = re.compile(r"ggml\.(add_\w+_token|remove_extra_whitespaces|precompiled_charsmap)")
ENDS = "eos_token_id", "eot_token_id", "eom_token_id", "eos_token_ids"


def gguf_tokenizer(fields: dict, where: str):
    """Builds a byte-level BPE or SentencePiece tokenizer from `tokenizer.*`, without torch.

    Raises InputError for another kind of tokenizer, and for a field that is not handled, by name.
    """
    from tokenizers import AddedToken
    from transformers import PreTrainedTokenizerFast

    kind, pre = fields.get("tokenizer.ggml.model"), fields.get("tokenizer.ggml.pre")
    if kind not in ("gpt2", "llama") or (kind == "gpt2" and pre not in PATTERNS):
        raise InputError(
            f"{where}: tokenizer {kind!r} with pre-tokenizer {pre!r} is not supported in GGUF "
            f"files (only 'llama', and 'gpt2' with {', '.join(PATTERNS)}); use the model's Hugging "
            "Face folder"
        )
    refuse_unread(fields, where)
    try:
        tokens = fields["tokenizer.ggml.tokens"]
        types = fields.get("tokenizer.ggml.token_type") or [1] * len(tokens)
        tokenizer = (byte_level if kind == "gpt2" else sentence_piece)(fields, tokens)
        added = [
            AddedToken(token, normalized=False, special=type_ == CONTROL)
            for token, type_ in zip(tokens, types, strict=True)
            if type_ in (CONTROL, USER_DEFINED)
        ]
        special = {
            f"{ours}_token": tokens[fields[f"tokenizer.ggml.{theirs}_token_id"]]
            for ours, theirs in (
                ("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding"),
            )
            if f"tokenizer.ggml.{theirs}_token_id" in fields
        }  # fmt: skip
    except Exception as error:  # the binding raises nothing more precise
        raise InputError(f"{where}: the tokenizer is damaged ({error})") from error
    tokenizer.add_special_tokens([token for token in added if token.special])
    tokenizer.add_tokens([token for token in added if not token.special])
    starts = kind == "llama" or pre in WHOLE_WORDS
    add_end_tokens(tokenizer, fields, starts and "bos_token" in special, where)
    built = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        chat_template=chat_templates(fields),
        clean_up_tokenization_spaces=False,
        **special,
    )
    refuse_empty(built, where)
    return built


def refuse_unread(fields: dict, where: str) -> None:
    """Raises InputError that names a field of the tokenizer that is neither read nor neutral."""
    for key, value in fields.items():
        name = key.removeprefix("tokenizer.")
        if name == key or READ.fullmatch(name) or NEUTRAL.fullmatch(name):
            continue
        if not OFF.fullmatch(name) or not (value is False or np.size(value) == 0):
            raise InputError(
                f"{where}: the tokenizer's field {key!r} (= {str(value)[:60]}) is not handled by "
                "personascan; use the model's Hugging Face folder"
            )


def add_end_tokens(tokenizer, fields: dict, starts: bool, where: str) -> None:
    """Makes the tokenizer add first and last tokens to a text, if special tokens are asked for.

    starts: whether a text has a first token if the file does not say so.
    """
    from tokenizers import processors

    tokens, ids = fields["tokenizer.ggml.tokens"], {}
    for end, usual in (("bos", starts), ("eos", False)):
        number = fields.get(f"tokenizer.ggml.{end}_token_id")
        if not fields.get(f"tokenizer.ggml.add_{end}_token", usual):
            continue
        if number is None:
            raise InputError(
                f"{where}: the tokenizer's field add_{end}_token asks for a token that no field "
                f"{end}_token_id names; use the model's Hugging Face folder"
            )
        ids[end] = int(number)
    if ids:
        around = [tokens[ids[end]] if end in ids else None for end in ("bos", "eos")]
        single = [part for part in (around[0], "$A", around[1]) if part is not None]
        named = sorted({(tokens[number], number) for number in ids.values()})
        tokenizer.post_processor = processors.TemplateProcessing(
            single=single, special_tokens=named
        )


def chat_templates(fields: dict) -> str | dict[str, str] | None:
    """Returns the chat template, or several by name."""
    start, usual = "tokenizer.chat_template.", fields.get("tokenizer.chat_template")
    named = {k.removeprefix(start): v for k, v in fields.items() if k.startswith(start)}
    if named and usual is not None:
        named["default"] = usual
    return named or usual


def stop_ids(fields: dict, where: str) -> list[int]:
    """Returns the tokens that end a text or a turn. Raises InputError for one that is no token."""
    ids = set()
    for name in ENDS:
        value = fields.get(f"tokenizer.ggml.{name}", ())
        ids |= set(value) if isinstance(value, list | tuple) else {value}
    size = len(fields["tokenizer.ggml.tokens"])
    for token in ids:
        if not 0 <= token < size:
            raise InputError(
                f"{where}: a field names token {token} as the end of texts, but there are {size} "
                "tokens; use the model's Hugging Face folder"
            )
    return sorted(int(token) for token in ids)


def byte_level(fields: dict, tokens: list[str]):
    """Builds a tokenizer that merges bytes within words, which the field `pre` defines."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    pre = fields["tokenizer.ggml.pre"]
    merges = [tuple(pair.split(" ")) for pair in fields.get("tokenizer.ggml.merges", ())]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, ignore_merges=pre in WHOLE_WORDS))
    if pre in COMPOSED:
        tokenizer.normalizer = normalizers.NFC()
    pattern, byte_words = PATTERNS[pre], pre_tokenizers.ByteLevel
    if pattern == "threes":
        steps = [
            pre_tokenizers.Punctuation("contiguous"),
            byte_words(add_prefix_space=False, use_regex=True),
            pre_tokenizers.Digits(individual_digits=False),
            pre_tokenizers.Split(Regex("[0-9]{3}"), "isolated"),
        ]
    elif pattern in ("", "digits"):
        steps = [pre_tokenizers.Digits(individual_digits=True)] * (pattern == "digits")
        steps.append(byte_words(add_prefix_space=False, use_regex=True))
    else:
        steps = [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            byte_words(add_prefix_space=False, use_regex=False),
        ]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def sentence_piece(fields: dict, tokens: list[str]):
    """Builds SentencePiece BPE: the pair whose joined piece has the highest score merges first."""
    from tokenizers import Tokenizer, decoders, models, normalizers

    scores = fields["tokenizer.ggml.scores"]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    merges = [
        (-scores[number], vocabulary[token[:cut]], vocabulary[token[cut:]])
        for token, number in vocabulary.items()
        for cut in range(1, len(token))
        if token[:cut] in vocabulary and token[cut:] in vocabulary
    ]
    unknown = tokens[fields.get("tokenizer.ggml.unknown_token_id", 0)]
    pairs = [(tokens[left], tokens[right]) for _, left, right in sorted(merges)]
    tokenizer = Tokenizer(
        models.BPE(vocabulary, pairs, unk_token=unknown, fuse_unk=True, byte_fallback=True)
    )
    prefixed = fields.get("tokenizer.ggml.add_space_prefix", True)
    spaces = normalizers.Replace(" ", "▁")
    steps = [normalizers.Prepend("▁"), spaces] if prefixed else [spaces]
    tokenizer.normalizer = normalizers.Sequence(steps)
    back = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    if prefixed:
        back.append(decoders.Strip(" ", 1, 0))
    tokenizer.decoder = decoders.Sequence(back)
    return tokenizer

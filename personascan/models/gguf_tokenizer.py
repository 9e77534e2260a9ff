"""The tokenizer of a GGUF file, rebuilt from its metadata."""

from personascan.errors import InputError

CONTROL, USER_DEFINED, BYTE = 3, 4, 6  # token types of the GGUF format
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
# tokenizer.ggml.pre -> the pattern of its words, as the tokenizers of these models split; "" is
# GPT-2's, "digits" GPT-2's behind single digits, "threes" GPT-2's between punctuation and with
# digits by threes.
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
# Normalised to composed characters first; the tokenizer of GPT-NeoX goes by two of these names.
COMPOSED = ("qwen2", "command-r", "deepseek-r1-qwen", "olmo", "mpt")
# A word in the vocabulary stays whole, and a text has a first token, unless the file denies it.
WHOLE_WORDS = ("llama-bpe", "llama3", "llama-v3", "falcon3", "tekken")


def gguf_tokenizer(fields: dict, where: str):
    """A byte-level BPE or SentencePiece tokenizer from `tokenizer.ggml.*`, without torch.

    Raises InputError for another kind of tokenizer, by name.
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
    if fields.get("tokenizer.ggml.add_bos_token", starts) and "bos_token" in special:
        tokenizer.post_processor = starts_with(special["bos_token"], tokens)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        chat_template=fields.get("tokenizer.chat_template"),
        clean_up_tokenization_spaces=False,
        **special,
    )


def starts_with(bos: str, tokens: list[str]):
    """Put the first token in front of a text, when special tokens are asked for."""
    from tokenizers import processors

    return processors.TemplateProcessing(
        single=[bos, "$A"], special_tokens=[(bos, tokens.index(bos))]
    )


def byte_level(fields: dict, tokens: list[str]):
    """Merges of bytes within words; the field `pre` names how words are found."""
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
    """SentencePiece BPE: the pair whose joined piece has the highest score merges first."""
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

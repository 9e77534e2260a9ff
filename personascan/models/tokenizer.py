"""Tokenizers: from a Hugging Face folder, or rebuilt from the metadata of a GGUF file."""

import pathlib

from personascan.errors import InputError

CONTROL, USER_DEFINED = 3, 4  # token types of the GGUF format


def folder_tokenizer(folder: pathlib.Path):
    """The tokenizer of a local folder; no code that the folder may hold is run."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:
        first_line = str(error).strip().split("\n")[0]
        raise InputError(
            f"no tokenizer can be read from {folder} ({first_line}); it needs tokenizer.json and "
            "tokenizer_config.json"
        ) from error


def gguf_tokenizer(fields: dict, where: str):
    """A byte-level BPE tokenizer from the `tokenizer.ggml.*` fields, without torch.

    Raises InputError for another kind of tokenizer, by name.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    kind = fields.get("tokenizer.ggml.model")
    pre = fields.get("tokenizer.ggml.pre")
    if (kind, pre) != ("gpt2", "smollm"):
        raise InputError(
            f"{where}: tokenizer {kind!r} with pre-tokenizer {pre!r} is not supported in GGUF "
            "files (only 'gpt2' with 'smollm'); use the model's Hugging Face folder"
        )
    try:
        tokens = fields["tokenizer.ggml.tokens"]
        merges = [tuple(pair.split(" ")) for pair in fields["tokenizer.ggml.merges"]]
        vocabulary = {token: number for number, token in enumerate(tokens)}
        tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    except Exception as error:  # the binding raises nothing more precise
        raise InputError(f"{where}: the tokenizer is damaged ({error})") from error
    # smollm: digits one by one, then the byte-level pattern of GPT-2.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    types = fields.get("tokenizer.ggml.token_type") or [1] * len(tokens)
    tokenizer.add_special_tokens(
        [
            AddedToken(token, normalized=False, special=True)
            for token, type_ in zip(tokens, types, strict=True)
            if type_ in (CONTROL, USER_DEFINED)
        ]
    )
    special = {
        f"{ours}_token": tokens[fields[f"tokenizer.ggml.{theirs}_token_id"]]
        for ours, theirs in (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding"))
        if f"tokenizer.ggml.{theirs}_token_id" in fields
    }
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        chat_template=fields.get("tokenizer.chat_template"),
        clean_up_tokenization_spaces=False,
        **special,
    )

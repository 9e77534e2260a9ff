"""Tokenizers rebuilt from GGUF fields, against the libraries that made them."""

import io
import pathlib

import pytest

import personascan
from personascan.models.gguf_tokenizer import PATTERNS, gguf_tokenizer, stop_ids

DATA = pathlib.Path(__file__).parents[1] / "data/statements"
TEXTS = [s.text for s in personascan.load_statements(DATA, limit=60)] + [
    "In 2024, 3.14159! 12345678",
    "  two  spaces\n\ttab\r\n\n end ",
    "naïve café — 北京 🙂",
    "I'll we've IT'S don'T HTTPServer parseHTML",
    "",
]


@pytest.fixture(scope="module")
def pieces():
    """A SentencePiece model of 600 pieces, trained on the statements."""
    import sentencepiece

    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS), model_writer=out, vocab_size=600, model_type="bpe",
        byte_fallback=True, character_coverage=0.99, normalization_rule_name="identity",
        remove_extra_whitespaces=False, minloglevel=2,
    )  # fmt: skip
    return sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())


def test_sentence_piece_ids_are_those_of_sentence_piece(pieces):
    kind = lambda i: (  # noqa: E731
        2 if pieces.is_unknown(i) else 3 if pieces.is_control(i) else 6 if pieces.is_byte(i) else 1
    )
    size = pieces.get_piece_size()
    fields = {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": [pieces.id_to_piece(i) for i in range(size)],
        "tokenizer.ggml.scores": [pieces.get_score(i) for i in range(size)],
        "tokenizer.ggml.token_type": [kind(i) for i in range(size)],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
    }
    tok = gguf_tokenizer(fields, "x")
    for text in TEXTS[:-1]:
        ids = tok(text, add_special_tokens=False)["input_ids"]
        assert ids == pieces.encode(text)
        assert tok.decode(ids) == text
        assert tok(text)["input_ids"] == [1, *ids]
    bare = gguf_tokenizer(
        fields | {"tokenizer.ggml.add_space_prefix": False, "tokenizer.ggml.add_bos_token": False},
        "x",
    )
    assert not bare.tokenize("like walks")[0].startswith("▁")
    assert bare.decode(bare("like walks")["input_ids"]) == "like walks"


def trained(pre_tokenizer, normalizer=None):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizer, decoders.ByteLevel()
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=700, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(TEXTS * 2, trainer)
    return tokenizer


def fields_of(tokenizer, pre):
    import json

    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.merges": merges,
    }


@pytest.mark.parametrize(
    ("pre", "module", "name"),
    [
        ("gpt-2", "gpt2", "GPT2Tokenizer"),
        ("qwen2", "qwen2", "Qwen2Tokenizer"),
        ("command-r", "cohere", "CohereTokenizer"),
    ],
)
def test_words_are_found_as_transformers_finds_them(pre, module, name):
    """The tokenizer class of the family, given the same vocabulary and merges."""
    import importlib

    from tokenizers import pre_tokenizers

    fields = fields_of(trained(pre_tokenizers.ByteLevel(add_prefix_space=False)), pre)
    theirs = getattr(importlib.import_module(f"transformers.models.{module}"), name)(
        vocab={t: i for i, t in enumerate(fields["tokenizer.ggml.tokens"])},
        merges=[tuple(m.split(" ")) for m in fields["tokenizer.ggml.merges"]],
    )
    ours = gguf_tokenizer(fields, "x")
    for text in TEXTS:
        assert (
            ours(text, add_special_tokens=False)["input_ids"]
            == theirs(text, add_special_tokens=False)["input_ids"]
        )


@pytest.mark.parametrize("pre", PATTERNS)
def test_every_pattern_gives_the_text_back(pre):
    from tokenizers import pre_tokenizers

    ours = gguf_tokenizer(
        fields_of(trained(pre_tokenizers.ByteLevel(add_prefix_space=False)), pre), "x"
    )
    for text in TEXTS:
        assert ours.decode(ours(text)["input_ids"]) == text


@pytest.mark.parametrize(
    ("pre", "text", "words"),
    [
        (
            "llama-bpe",
            "It's 12345 HTTPServer!\n",
            ["It", "'s", " ", "123", "45", " HTTPServer", "!\n"],
        ),
        ("qwen2", "It's 123", ["It", "'s", " ", "1", "2", "3"]),
        ("gpt-2", "It's 123 ok", ["It", "'s", " 123", " ok"]),
        ("starcoder", "a 12", ["a", " ", "1", "2"]),
        ("gpt-4o", "parseHTML's 1234", ["parse", "HTML's", " ", "123", "4"]),
        ("tekken", "parseHTML 12", ["parse", "HTML", " ", "1", "2"]),
        ("falcon", "It's ('12345') ok", ["It", "'", "s", " ", "('", "123", "45", "')", " ok"]),
    ],
)
def test_words(pre, text, words):
    from tokenizers import pre_tokenizers

    ours = gguf_tokenizer(
        fields_of(trained(pre_tokenizers.ByteLevel(add_prefix_space=False)), pre), "x"
    )
    split = ours.backend_tokenizer.pre_tokenizer.pre_tokenize_str(text)
    assert [text[a:b] for _, (a, b) in split] == words


@pytest.mark.parametrize("pre", ["olmo", "mpt"])
def test_the_tokenizer_of_gpt_neox_composes_characters_first(pre):
    """As Transformers' GPTNeoXTokenizer does: a letter and its accent are one character."""
    import unicodedata

    from tokenizers import normalizers, pre_tokenizers

    words = pre_tokenizers.ByteLevel(add_prefix_space=False)
    theirs = trained(words, normalizers.NFC())
    ours = gguf_tokenizer(fields_of(theirs, pre), "x")
    for text in TEXTS:
        apart = unicodedata.normalize("NFD", text)
        assert ours(apart)["input_ids"] == theirs.encode(apart).ids


def test_other_tokenizers_are_refused_by_name():
    with pytest.raises(personascan.InputError, match="tokenizer 'bert' with pre-tokenizer None"):
        gguf_tokenizer({"tokenizer.ggml.model": "bert"}, "x")
    with pytest.raises(personascan.InputError, match="tokenizer is damaged"):
        gguf_tokenizer({"tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": ["a"]}, "x")


FIELDS = {
    "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "gpt-2",
    "tokenizer.ggml.tokens": ["a", "b", "<s>", "</s>", "<end>"],
    "tokenizer.ggml.token_type": [1, 1, 3, 3, 3], "tokenizer.ggml.merges": [],
    "tokenizer.ggml.bos_token_id": 2, "tokenizer.ggml.eos_token_id": 3,
}  # fmt: skip


def with_fields(**more):
    return FIELDS | {f"tokenizer.ggml.{key}": value for key, value in more.items()}


@pytest.mark.parametrize(
    ("more", "ids"),
    [
        ({}, [0, 1]),
        (dict(add_bos_token=True), [2, 0, 1]),
        (dict(add_eos_token=True), [0, 1, 3]),
        (dict(add_bos_token=True, add_eos_token=True), [2, 0, 1, 3]),
        (dict(add_bos_token=True, add_eos_token=True, eos_token_id=2), [2, 0, 1, 2]),
    ],
)
def test_first_and_last_tokens_are_those_that_the_file_asks_for(more, ids):
    tok = gguf_tokenizer(with_fields(**more), "x")
    assert tok("ab")["input_ids"] == ids
    assert tok("ab", add_special_tokens=False)["input_ids"] == [0, 1]


@pytest.mark.parametrize(
    ("name", "value", "off"),
    [
        ("ggml.add_sep_token", True, False),
        ("ggml.add_padding_token", True, False),
        ("ggml.remove_extra_whitespaces", True, False),
        ("ggml.precompiled_charsmap", [1, 2], []),
        ("ggml.lowercase", True, None),
        ("rwkv.world", "a", None),
    ],
)
def test_fields_that_change_tokens_are_refused_by_name(name, value, off):
    with pytest.raises(personascan.InputError, match=rf"x: .*'tokenizer\.{name}' .*not handled"):
        gguf_tokenizer(FIELDS | {f"tokenizer.{name}": value}, "x")
    if off is not None:
        assert gguf_tokenizer(FIELDS | {f"tokenizer.{name}": off}, "x")("a")["input_ids"] == [0]


def test_fields_that_change_no_token_are_neutral():
    more = dict.fromkeys(
        ("mask_token_id", "cls_token_id", "seperator_token_id", "fim_pre_token_id",
         "prefix_token_id", "token_type_count"), 1,
    )  # fmt: skip
    fields = with_fields(**more) | {"tokenizer.huggingface.json": "{}", "general.name": "n"}
    assert gguf_tokenizer(fields, "x")("ab")["input_ids"] == [0, 1]


@pytest.mark.parametrize("end", ["bos", "eos"])
def test_a_token_that_is_asked_for_and_not_named_is_refused(end):
    fields = with_fields(**{f"add_{end}_token": True})
    del fields[f"tokenizer.ggml.{end}_token_id"]
    with pytest.raises(personascan.InputError, match=f"add_{end}_token .* no field {end}_token_id"):
        gguf_tokenizer(fields, "x")


def test_texts_end_where_the_file_says():
    assert stop_ids(FIELDS, "x") == [3]
    assert stop_ids(with_fields(eot_token_id=4), "x") == [3, 4]
    assert stop_ids(with_fields(eom_token_id=4, eos_token_ids=[3, 1]), "x") == [1, 3, 4]
    with pytest.raises(personascan.InputError, match=r"x: .* token 5 as the end of texts"):
        stop_ids(with_fields(eot_token_id=5), "x")


def test_templates_have_their_names():
    named = {"tokenizer.chat_template.tools": "T", "tokenizer.chat_templates": ["tools"]}
    assert gguf_tokenizer(FIELDS | named, "x").chat_template == {"tools": "T"}
    both = FIELDS | named | {"tokenizer.chat_template": "D"}
    assert gguf_tokenizer(both, "x").chat_template == {"tools": "T", "default": "D"}


def test_a_vocabulary_of_special_tokens_alone_is_refused():
    fields = with_fields(tokens=["<s>", "</s>"], token_type=[3, 3], bos_token_id=0, eos_token_id=1)
    with pytest.raises(personascan.InputError, match="x: the tokenizer knows no tokens"):
        gguf_tokenizer(fields, "x")

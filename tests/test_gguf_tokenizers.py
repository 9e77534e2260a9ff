"""Tokenizers rebuilt from GGUF fields, against the libraries that made them."""

import io
import pathlib

import pytest

import personascan
from personascan.models.gguf_tokenizer import PATTERNS, gguf_tokenizer

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

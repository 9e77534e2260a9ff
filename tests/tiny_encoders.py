"""Tokenizers of encoders on disk, for the tests."""

import pathlib

from tiny_models import save_tiny

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES = ["i", "like", "walk", "##s", "long", "##er", "no", ",", ".", "really", "do", "it"]
ATOMS = ["C", "c", "(", ")", "O", "1", "=", "N", ">>", "Cl", "Br", "[Na+]", "%10", ".", "F"]


def save_tiny_encoder(folder: pathlib.Path, tokens=PIECES, **overrides) -> None:
    """A random BERT with vocab.txt and nothing more of a tokenizer."""
    words = SPECIAL + list(tokens)
    save_tiny(
        folder, "bert", num_key_value_heads="drop", vocab_size=len(words), hidden_size=32,
        **overrides,
    )  # fmt: skip
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (folder / name).unlink(missing_ok=True)
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")

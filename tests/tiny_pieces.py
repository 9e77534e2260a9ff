"""Small SentencePiece tokenizers, for the tests."""

import io
import pathlib

SPECIAL = ["<unk>", "<s>", "</s>"]
LETTERS = sorted(set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ?.,:|<>/'\""))
MERGES = [("Y", "e"), ("Ye", "s"), ("N", "o"), ("▁", "Yes"), ("▁", "No")]


def spaced_tokenizer(template=None, letters=None, ends=False):
    """A BPE of pieces as Llama 2 has it: every text gets a space in front, ▁Yes is not Yes.

    ends: whether the tokenizer puts its last token behind a text.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = LETTERS if letters is None else letters
    merges = [pair for pair in MERGES if set("".join(pair)) <= {"▁", *letters}]
    bytes_ = [f"<0x{i:02X}>" for i in range(256)] if letters is LETTERS else []
    pieces = [*SPECIAL, *bytes_, "▁", *letters, *("".join(pair) for pair in merges)]
    ids = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = Tokenizer(
        models.BPE(ids, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=bool(bytes_))
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>" if ends else "<s> $A", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        chat_template=template,
    )  # fmt: skip


def write_pieces(path: pathlib.Path, texts: list[str]) -> None:
    """A SentencePiece model file that is trained on these texts."""
    import sentencepiece

    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_writer=out, vocab_size=60, model_type="unigram",
        minloglevel=2, hard_vocab_limit=False,
    )  # fmt: skip
    path.write_bytes(out.getvalue())

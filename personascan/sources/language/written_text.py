"""The text of tokens that a model has written, and which characters each of them is."""

import numpy as np

CONTEXT = 8  # tokens before another with which it is decoded
LONGEST = 4  # tokens that one character may be split into
INCOMPLETE = "\ufffd"


def written_text(tokenizer, before: list[int], ids) -> tuple[str, np.ndarray]:
    """Returns the text of tokens behind others, and the characters between which each is: [T, 2].

    Special tokens are spelled. Tokens that make a character together have all of it.
    """
    text, edges = "", []
    context, pending = list(before[-CONTEXT:]), []
    for number, id_ in enumerate(ids):
        pending.append(id_)
        piece = text_behind(tokenizer, context, pending)
        more = number + 1 < len(ids) and len(pending) < LONGEST
        if piece.endswith(INCOMPLETE) and more:
            continue
        edges += [(len(text), len(text) + len(piece))] * len(pending)
        text += piece
        context, pending = [*context, *pending][-CONTEXT:], []
    return text, np.array(edges)


def text_behind(tokenizer, before: list[int], ids: list[int]) -> str:
    """Returns the text of tokens behind others; alone they may lose the space they begin with."""
    known, whole, alone = (
        tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        for tokens in (before, before + ids, ids)
    )
    return whole[len(known) :] if whole.startswith(known) else alone


def ends_in(tokenizer, text: str, spelled: str, edges_T2: np.ndarray, ids) -> tuple[int, ...]:
    """Returns where each token ends in a response's text, which may not spell special tokens.

    Space around the text may be missing. Where it is another text still, ends are about right.
    """
    ends_T, shown = edges_T2[:, 1], spelled
    if spelled.strip() != text.strip():
        lengths_T = np.diff(ends_T, prepend=0)
        special_T = np.isin(ids, tokenizer.all_special_ids)
        pieces = np.split(np.array(list(spelled)), ends_T)
        shown = "".join("".join(p) for p, s in zip(pieces, special_T, strict=False) if not s)
        ends_T = np.cumsum(np.where(special_T, 0, lengths_T))
    shift = len(shown) - len(shown.lstrip()) - (len(text) - len(text.lstrip()))
    return tuple(np.clip(ends_T - shift, 0, len(text)).tolist())

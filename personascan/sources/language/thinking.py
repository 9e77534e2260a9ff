"""Where a text of the model thinks aloud, and where it answers."""

# What published templates write around what a model thinks aloud: Qwen 3, DeepSeek R1 and SmolLM3;
# Magistral; Seed-OSS; EXAONE Deep.
MARKERS = (
    ("<think>", "</think>"),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("<thought>", "</thought>"),
)
Span = tuple[int, int]  # the first character, and the one behind the last


def thinking_and_answer(text: str, opened: str = "") -> tuple[Span | None, Span | None]:
    """Returns what a text thinks aloud, and what it answers; None for what it does not have.

    The markers belong to neither, nor does the space beside them. A text may end in its thinking,
    or begin in it: because its prompt ends with the marker `opened`, or because it only has the
    marker that ends it.
    """
    for first, last in MARKERS:
        lead = len(text) - len(text.lstrip())
        closed = text.find(last)
        if text.startswith(first, lead):
            start = lead + len(first)
        elif opened == first or (closed >= 0 and first not in text[:closed]):
            start = 0
        else:
            continue
        end = text.find(last, start)
        if end < 0:
            return without_space(text, start, len(text)), None
        return without_space(text, start, end), without_space(text, end + len(last), len(text))
    return None, without_space(text, 0, len(text))


def opened_thinking(prompt: str) -> str:
    """Returns the marker with which a prompt ends, so that the model begins by thinking, or ""."""
    return next((first for first, _ in MARKERS if prompt.rstrip().endswith(first)), "")


def without_space(text: str, start: int, end: int) -> Span | None:
    """Returns a span of a text without the space around it; None if nothing is left."""
    part = text[start:end]
    if not part.strip():
        return None
    return start + len(part) - len(part.lstrip()), start + len(part.rstrip())

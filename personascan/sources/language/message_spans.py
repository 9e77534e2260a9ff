"""Where the messages of a conversation are in its text.

Texts may be empty, alike, or hold what the template writes itself, so that they are not searched
for. What stands between the marks of the rendering with marks is the template's; with the texts in
place of the marks it must be the conversation's text, character by character.
"""

import itertools
import re
from dataclasses import dataclass

from personascan.errors import InputError
from personascan.sources.language.conversation_texts import THINKING, Content, Rendering
from personascan.sources.language.conversations import Conversation
from personascan.sources.language.thinking import Span

MARKS = re.compile("\ue000([0-9]+)\\.([0-9]+)\ue001")
Key = tuple[int, int]  # the numbers of a message and of its part


@dataclass(frozen=True)
class MessageSpan:
    """The characters of one message in the text of its conversation."""

    start: int
    end: int
    parts: dict[str, Span]
    # Characters of the conversation's text, each with that of the message that stands there.
    points: tuple[tuple[int, int], ...]


def find_messages(conversation: Conversation, rendering: Rendering) -> list[MessageSpan | None]:
    """Finds every message of a conversation in its text; None: it has none there.

    Thinking may be left out by the template. Raises InputError for a message that the template
    drops, doubles or rewrites, and for answers of the model in another order.
    """
    contents = rendering.contents
    gaps, keys = gaps_and_keys(rendering.marked)
    spans, rewritten = follow_text(rendering, gaps, keys)
    if rewritten is None:
        rewritten = missing_message(contents, spans)
    if rewritten is not None:
        raise InputError(explain_rewritten(conversation, contents, rewritten))
    space = kept_space(contents, gaps, keys, rendering.bare)
    return [
        span_of(content, number, spans, space, rendering.text)
        for number, content in enumerate(contents)
    ]


def follow_text(rendering: Rendering, gaps, keys) -> tuple[dict[Key, Span], int | None]:
    """Returns the span of each mark's part, and the number of the first message that differs."""
    contents, text = rendering.contents, rendering.text
    spans: dict[Key, Span] = {}
    at = len(gaps[0])
    if not text.startswith(gaps[0]):
        return spans, keys[0][0] if keys else 0
    following = [*keys, (len(contents) - 1, 0)][1:]
    for key, gap, after in zip(keys, gaps[1:], following, strict=True):
        own = part_text(contents, key)
        if key in spans or not text.startswith(own, at):
            return spans, key[0]
        spans[key] = at, at + len(own)
        at += len(own)
        if not text.startswith(gap, at):
            # Thinking that is written anew in front of an answer is the likeliest reason.
            return spans, after[0] if contents[after[0]].role == "assistant" else key[0]
        at += len(gap)
    return spans, None if at == len(text) else len(contents) - 1


def gaps_and_keys(marked: str) -> tuple[list[str], list[Key]]:
    """Returns the texts around the marks, one more than marks, and the numbers of the marks."""
    pieces = MARKS.split(marked)
    keys = zip(map(int, pieces[1::3]), map(int, pieces[2::3]), strict=True)
    return pieces[::3], list(keys)


def part_text(contents: list[Content], key: Key) -> str:
    content = contents[key[0]]
    start, end = content.parts[key[1]][1]
    return content.text[start:end]


def missing_message(contents: list[Content], spans: dict[Key, Span]) -> int | None:
    """Returns the number of a message that is dropped, or of an answer that stands too early."""
    answers = [number for number, _ in spans if contents[number].role == "assistant"]
    for before, after in itertools.pairwise(answers):
        if after < before:
            return after
    for number, content in enumerate(contents):
        for part, (name, _) in enumerate(content.parts):
            if (number, part) not in spans and name != THINKING:
                return number
    return None


def explain_rewritten(conversation: Conversation, contents: list[Content], number: int) -> str:
    answer = sum(c.role == "assistant" for c in contents[: number + 1])
    is_answer = contents[number].role == "assistant"
    named = f"answer {answer}" if is_answer else f"message {number + 1} ({contents[number].role})"
    return (
        f"the chat template drops, rewrites or moves {named} of conversation {conversation.id}, "
        "so that its tokens cannot be found; change that text, choose another template "
        "(template=), or leave the conversation out"
    )


def kept_space(contents, gaps, keys, bare: str) -> dict[tuple[int, str], int]:
    """Returns how much of the space around messages is shown: {(message, "lead" or "trail")}."""
    bare_gaps, bare_keys = gaps_and_keys(bare)
    kept: dict[tuple[int, str], int] = {}
    if bare_keys != keys:
        return kept
    around = [(-1, -1), *keys, (-1, -1)]
    for gap, bare_gap, before, after in zip(gaps, bare_gaps, around, around[1:], strict=False):
        if before[0] == after[0]:
            continue  # inside one message
        trail = text_beside(contents, before, behind=True)
        lead = text_beside(contents, after, behind=False)
        for length in range(len(trail), -1, -1):
            shown = trail[:length] + bare_gap
            if gap.startswith(shown) and lead.endswith(gap[len(shown) :]):
                kept[before[0], "trail"] = length
                kept[after[0], "lead"] = len(gap) - len(shown)
                break
    return kept


def text_beside(contents: list[Content], key: Key, behind: bool) -> str:
    """Returns the space before a message's first part, or behind its last one."""
    number, part = key
    if number < 0 or part != (len(contents[number].parts) - 1 if behind else 0):
        return ""
    content = contents[number]
    start, end = content.parts[part][1]
    beside = content.text[end:] if behind else content.text[:start]
    return "" if beside.strip() else beside


def span_of(content: Content, number: int, spans, space, text: str) -> MessageSpan | None:
    """Returns the span of a message with the markers and the space of its own that are shown."""
    shown = [part for part in range(len(content.parts)) if (number, part) in spans]
    if not shown:
        return None
    points = []
    for part in shown:
        points += zip(spans[number, part], content.parts[part][1], strict=True)
    (start, own_start), (end, own_end) = points[0], points[-1]
    # Behind thinking that is left out nothing more of the message is shown.
    before = content.text[:own_start].strip() if shown[0] == 0 else ""
    behind = content.text[own_end:].strip() if shown[-1] == len(content.parts) - 1 else ""
    if before and text[:start].rstrip().endswith(before):
        start = len(text[:start].rstrip()) - len(before)
        own_start = content.text.index(before)
    else:
        lead = space.get((number, "lead"), 0)
        start, own_start = start - lead, own_start - lead
    if behind and text[end:].lstrip().startswith(behind):
        end = len(text) - len(text[end:].lstrip()) + len(behind)
        own_end = len(content.text.rstrip())
    else:
        trail = space.get((number, "trail"), 0)
        end, own_end = end + trail, own_end + trail
    parts = {content.parts[part][0]: spans[number, part] for part in shown}
    return MessageSpan(start, end, parts, ((start, own_start), *points, (end, own_end)))

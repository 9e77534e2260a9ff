"""Conversations and published templates, for the tests."""

import functools

from test_templates import FOLDER, INDEX, merging_tokenizer

from personascan.sources.language.conversations import Conversation, Message
from personascan.sources.language.prompts import prompts_of
from personascan.sources.language.templates import PromptOptions

OPTIONS = PromptOptions()
QWEN3 = "Qwen-Qwen3-0.6B.jinja"
SMOLLM2 = "HuggingFaceTB-SmolLM2-135M-Instruct.jinja"
GEMMA = "google-gemma-2-2b-it.jinja"
MISTRAL = "mistralai-Mistral-7B-Instruct-v0.1.jinja"
NO_SYSTEM = {GEMMA, MISTRAL}
ASKED = ("user", "Is it?")
# Texts that recur, are words of templates, hold their markers, or hold one another.
ANSWERS = ["I like walks", "user", "I like walks", "</s> assistant", "naïve café — 北京 🙂", "a"]


def conversation(id_, *messages, **fields):
    told = tuple(Message(role, content) for role, content in messages)
    return Conversation(id_, told, "calm", "", True, **fields)


def read(tokenizer, rows, options=OPTIONS, limit=5000):
    return prompts_of(tokenizer, rows, options, limit)


@functools.cache
def published(name):
    entry = INDEX[name]
    template = (FOLDER / name).read_text(encoding="utf-8")
    return merging_tokenizer(template, entry["bos_token"], entry["eos_token"])


def told(turns: int, system: bool, thinking: bool, first=0):
    """Messages of so many turns; each answer is also what a user says."""
    messages = [("system", "I like walks")] if system else []
    for turn in range(first, first + turns):
        answer = ANSWERS[turn % len(ANSWERS)]
        thought = f"<think>\n{ANSWERS[(turn + 1) % len(ANSWERS)]}\n</think>\n\n" * thinking
        messages += [("user", answer), ("assistant", thought + answer)]
    return messages


def texts_of(tokenizer, ids, span):
    first, last = span
    parts = ids[:first], ids[first : last + 1], ids[last + 1 :]
    return [tokenizer.decode(part, clean_up_tokenization_spaces=False) for part in parts]

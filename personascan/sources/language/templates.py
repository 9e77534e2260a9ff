"""Chat templates: chosen by name, and rendered for a fixed date in a process with a time limit."""

import datetime
import json
import pathlib
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

from personascan.errors import InputError
from personascan.visible import visible

# The day for templates that ask for one, which is also their own default: numbers must not change
# overnight.
DATE = "2024-07-26"
SECONDS = 10.0  # a template is a program, and may never end
SECONDS_EACH = 0.01  # more for each message
DEFAULT = "default"
# Stands for a text, to find its place in a template: no text contains it.
SENTINEL = "\ue000\ue001\ue000"
ROLES = ("system", "user", "assistant", "none")


@dataclass(frozen=True)
class PromptOptions:
    """How statements become prompts: all that decides their tokens but the tokenizer."""

    role: str = "system"  # of the message that holds the statement, or "none"
    prefix: str = ""  # before every statement, inside the message
    suffix: str = ""
    strict: bool = False  # a tokenizer without chat template is an error, not a notice
    template: str = ""  # name of one of several templates; "": the default one
    template_keywords: dict[str, Any] = field(default_factory=dict)  # variables for the template
    date: str = DATE  # the day that templates see, YYYY-MM-DD

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise InputError(f"role {self.role!r} is unknown; use one of {', '.join(ROLES)}")
        parse_date(self.date)
        reserved = {"messages", "add_generation_prompt"} & set(self.template_keywords)
        if reserved:
            raise InputError(
                f"the template keyword {min(reserved)!r} is set by the prompt itself; leave it out"
            )


def parse_date(text: str) -> datetime.datetime:
    """Parses a date YYYY-MM-DD. Raises InputError for any other text."""
    try:
        return datetime.datetime.strptime(text, "%Y-%m-%d")
    except (TypeError, ValueError) as error:
        raise InputError(f"date = {text!r} is no day written YYYY-MM-DD") from error


def parse_keywords(texts) -> dict[str, Any]:
    """Parses ["enable_thinking=false"] into {"enable_thinking": False}; values are JSON or text."""
    keywords = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise InputError(f"the template keyword {text!r} is not written name=value")
        try:
            keywords[name] = json.loads(value)
        except ValueError:
            keywords[name] = {"True": True, "False": False, "None": None}.get(value, value)
    return keywords


def choose_template(templates, name: str) -> str:
    """Returns the template of a name. Raises InputError that lists the names if there is none."""
    by_name = {DEFAULT: templates} if isinstance(templates, str) else templates
    wanted = name or (DEFAULT if DEFAULT in by_name or len(by_name) > 1 else min(by_name))
    if wanted not in by_name:
        names = ", ".join(sorted(by_name))
        missing = f"no chat template {name!r}" if name else "several chat templates and no default"
        raise InputError(
            f"the tokenizer has {missing}; choose one with template= (--template=): {names}"
        )
    return by_name[wanted]


def render_all(
    tokenizer, conversations: list[list[tuple[str, str]]], options: PromptOptions
) -> tuple[str, list[str]]:
    """Renders conversations, lists of (role, text), with the chat template.

    The model's turn is opened behind a conversation whose last message is not the model's. The
    content of a message is its text, or if the template drops texts, a list of the text as its one
    part, which templates of models that also see images may need.

    Returns the prompt of the first message with the SENTINEL as its text, and all prompts.

    Raises InputError for a template that refuses a message, fails, or does not end in time.
    """
    probe = [(conversations[0][0][0], SENTINEL)]
    answer = run_template(tokenizer, probe, conversations, options)
    if "prompts" not in answer:
        raise InputError(explain(answer, template_name(options), conversations[0][0][0]))
    note_rendered(tokenizer, answer, options)
    usual, *prompts = answer["prompts"]
    return usual, prompts


def run_template(tokenizer, probe: list, conversations: list, options: PromptOptions) -> dict:
    """Returns what the template makes of a probe, whose one text is SENTINEL, and conversations.

    Without "prompts" the answer says why there are none, and of which "number", the probe's is 0.
    """
    template = choose_template(tokenizer.chat_template, options.template)
    variables = template_tokens(tokenizer) | {"tools": None, "documents": None}

    def rendered(content) -> dict:
        return run_sandbox(
            {
                "template": template,
                "conversations": [
                    [{"role": role, "content": content(text)} for role, text in conversation]
                    for conversation in [probe, *conversations]
                ],
                "variables": variables | options.template_keywords,
                "date": options.date,
            },
            SECONDS + SECONDS_EACH * len(conversations),
            template_name(options),
        )

    answer = rendered(as_text)
    if not shows_texts(answer):
        of_parts = rendered(as_parts)
        answer = of_parts if shows_texts(of_parts) else answer
    return answer


def template_name(options: PromptOptions) -> str:
    return f"the chat template {options.template!r}" if options.template else "the chat template"


def note_rendered(tokenizer, answer: dict, options: PromptOptions) -> None:
    """Prints which special tokens are plain text, and whether the template tells a day."""
    template = choose_template(tokenizer.chat_template, options.template)
    note_unknown(tokenizer, template_tokens(tokenizer), template)
    if answer["day"]:
        print(
            f"note: {visible(template_name(options))} tells the model a day: {options.date} (date)",
            file=sys.stderr,
        )


def as_text(text: str) -> str:
    return text


def as_parts(text: str) -> list[dict]:
    return [{"type": "text", "text": text}]


def shows_texts(answer: dict) -> bool:
    """Returns whether the probe's text is in its prompt, and not merely a list spelled as text.

    Python's spelling of a list gives the sentinel's characters as numbers.
    """
    return SENTINEL in answer.get("prompts", [""])[0]


def template_tokens(tokenizer) -> dict[str, str]:
    """Returns the special tokens by the names that templates use."""
    more = getattr(tokenizer, "init_kwargs", {}).get("template_tokens", {})
    known = {k: v for k, v in tokenizer.special_tokens_map.items() if isinstance(v, str)}
    return more | known


def note_unknown(tokenizer, special: dict[str, str], text: str) -> None:
    """Prints which special tokens of a template are plain text to the tokenizer."""
    known = getattr(tokenizer, "backend_tokenizer", None)
    for name, token in special.items():
        if name in text and known and known.token_to_id(token) is None:
            print(
                f"note: {name} {visible(token)!r} is no token of the tokenizer; the chat template "
                "writes it as text",
                file=sys.stderr,
            )


def run_sandbox(request: dict, seconds: float, named: str) -> dict:
    """Runs `sandbox.py` on a request. Raises InputError if it takes longer than this."""
    program = pathlib.Path(__file__).with_name("sandbox.py")
    try:
        # -P: nothing that lies in the working directory is imported.
        done = subprocess.run(
            [sys.executable, "-P", str(program)],
            input=json.dumps(request).encode(),
            capture_output=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(
            f"{named} did not end in {seconds:.0f} s; correct the checkpoint's template, or use "
            "role none"
        ) from error
    except TypeError as error:
        raise InputError(f"the template keywords are not plain values ({error})") from error
    try:
        return json.loads(done.stdout)
    except ValueError:
        return {"failed": f"it ended its process, {done.stderr.decode(errors='replace')[-120:]!r}"}


def explain(answer: dict, named: str, role: str) -> str:
    """Explains in a line why there are no prompts: the template's refusal, or a fault in it."""
    if "refused" in answer:
        reason = " ".join(answer["refused"].split())
        return f"{named} refuses a message with role {role!r} ({reason}); {advice(role)}"
    reason = " ".join(answer["failed"].split())[:300]
    return f"{named} fails ({reason}); correct the checkpoint's template, or use role none"


def advice(role: str) -> str:
    other = "none" if role == "user" else "user"
    return f"use another role, for example role={other!r} (--config.role={other}, --role={other})"

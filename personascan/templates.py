"""Chat templates: chosen by name, in a sandbox, on a fixed date and within a time limit."""

import ctypes
import datetime
import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from personascan.errors import InputError
from personascan.visible import visible

# What templates that ask for the day fall back on by themselves: numbers must not change overnight.
DATE = "2024-07-26"
SECONDS = 10.0  # a template is a program, and may never end
SECONDS_EACH = 0.01  # more for each message
DEFAULT = "default"
ROLES = ("system", "user", "assistant", "none")


class TooSlow(Exception):
    """Raised inside a template that takes too long."""


@dataclass(frozen=True)
class PromptOptions:
    """How statements become prompts: everything that decides their tokens but the tokenizer."""

    role: str = "system"  # of the message that holds the statement, or "none"
    prefix: str = ""  # put before every statement, inside the message
    suffix: str = ""
    strict: bool = False  # a tokenizer without chat template is an error, not a notice
    template: str = ""  # name of one of several templates; "": the default one
    template_keywords: dict[str, Any] = field(default_factory=dict)  # given to the template
    date: str = DATE  # the day that templates are told, YYYY-MM-DD

    def __post_init__(self):
        if self.role not in ROLES:
            raise InputError(f"role {self.role!r} is unknown; use one of {', '.join(ROLES)}")
        parse_date(self.date)
        taken = {"messages", "add_generation_prompt"} & set(self.template_keywords)
        if taken:
            raise InputError(f"the template keyword {min(taken)!r} is set by the prompt itself")


def parse_date(text: str) -> datetime.datetime:
    """YYYY-MM-DD. Raises InputError."""
    try:
        return datetime.datetime.strptime(text, "%Y-%m-%d")
    except (TypeError, ValueError) as error:
        raise InputError(f"date = {text!r} is no day written YYYY-MM-DD") from error


def parse_keywords(texts) -> dict[str, Any]:
    """{"enable_thinking": False} of ["enable_thinking=false"]; values are JSON, or else text."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise InputError(f"the template keyword {text!r} is not written name=value")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = {"True": True, "False": False, "None": None}.get(value, value)
    return found


def choose_template(templates, name: str) -> str:
    """The text of the template of that name. Raises InputError that lists the names."""
    by_name = {DEFAULT: templates} if isinstance(templates, str) else templates
    wanted = name or (DEFAULT if DEFAULT in by_name or len(by_name) > 1 else min(by_name))
    if wanted not in by_name:
        names = ", ".join(sorted(by_name))
        missing = f"no chat template {name!r}" if name else "several chat templates and no default"
        raise InputError(
            f"the tokenizer has {missing}; choose one with template= (--template=): {names}"
        )
    return by_name[wanted]


def render_all(tokenizer, contents: list[str], options: PromptOptions) -> list[str]:
    """Each content as one message through the chat template.

    Raises InputError for a template that refuses the message, fails, or does not end in time.
    """
    text = choose_template(tokenizer.chat_template, options.template)
    asked_for_day = []
    render = compiled(text, tokenizer, options, lambda: asked_for_day.append(True))
    limit = SECONDS + SECONDS_EACH * len(contents)
    named = f"the chat template {options.template!r}" if options.template else "the chat template"
    try:
        found = within(limit, lambda: [render(content) for content in contents])
    except TooSlow as error:
        raise InputError(
            f"{named} did not end in {limit:.0f} s; correct the checkpoint's template, or use "
            "role none"
        ) from error
    except InputError:
        raise
    except Exception as error:
        raise InputError(explain(error, named, options.role)) from error
    if asked_for_day:
        print(
            f"note: {visible(named)} tells the model a day: {options.date} (date)", file=sys.stderr
        )
    return found


def compiled(text: str, tokenizer, options: PromptOptions, note_day) -> Callable[[str], str]:
    """content -> prompt: the template in a sandbox, with what templates are offered everywhere."""
    import jinja2
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """{% generation %} marks the model's own text, and changes nothing."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser):
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    def refuse(message):
        raise jinja2.TemplateError(message)

    def strftime_now(format):
        note_day()
        return parse_date(options.date).strftime(format)

    def as_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(
            value, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
            sort_keys=sort_keys,
        )  # fmt: skip

    sandbox = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    sandbox.filters["tojson"] = as_json
    sandbox.globals |= {"raise_exception": refuse, "strftime_now": strftime_now}
    try:
        template = sandbox.from_string(text)
    except Exception as error:
        raise InputError(explain(error, "the chat template", options.role)) from error
    special = {k: v for k, v in tokenizer.special_tokens_map.items() if isinstance(v, str)}

    def render(content: str) -> str:
        return template.render(
            special
            | {"tools": None, "documents": None}
            | options.template_keywords
            | {
                "messages": [{"role": options.role, "content": content}],
                "add_generation_prompt": options.role != "assistant",
            }
        )

    return render


def explain(error: Exception, named: str, role: str) -> str:
    """One line for what a template raised: a refusal of its own, or a fault in it."""
    import jinja2

    reason = " ".join(str(error).split()) or type(error).__name__
    if type(error) is jinja2.TemplateError:
        return f"{named} refuses a message with role {role!r} ({reason}); {advice(role)}"
    return f"{named} fails ({reason}); correct the checkpoint's template, or use role none"


def advice(role: str) -> str:
    other = "none" if role == "user" else "user"
    return f"use another role, for example role={other!r} (--config.role={other}, --role={other})"


def within(seconds: float, work: Callable[[], Any]) -> Any:
    """What `work` returns. Raises TooSlow, and ends the work, if that takes longer."""
    outcome = []

    def run():
        try:
            outcome.append((work(), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome:
        # Delivered between two steps of the program.
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident), ctypes.py_object(TooSlow)
        )
        thread.join(1)
        raise TooSlow
    value, error = outcome[0]
    if error is not None:
        raise error
    return value

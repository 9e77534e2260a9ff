"""A program that renders chat templates, in a process that can be stopped whatever they do.

Standard input: JSON with the template, the conversations (lists of messages), variables and date;
the model's turn is opened behind every conversation whose last message is not the model's. Standard
output: JSON with the prompts and whether a template asked for the day, or the reason why there are
none and the number of the conversation in question. It imports nothing of the project, so that it
starts quickly.
"""

import contextlib
import datetime
import json
import sys

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

BYTES = 2 * 2**30  # of memory, for a template and all of its prompts


class Generation(Extension):
    """The tag {% generation %}, which marks the model's own text and changes nothing."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class Refused(Exception):
    """A template's own refusal of its message."""


def refuse(message):
    raise Refused(message)


def as_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def render_all(asked: dict) -> dict:
    """Renders all conversations: {"prompts": [...], "day": whether a template asked for it}."""
    day = []

    def strftime_now(format):
        day.append(True)
        return datetime.datetime.fromisoformat(asked["date"]).strftime(format)

    sandbox = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    sandbox.filters["tojson"] = as_json
    sandbox.globals |= {"raise_exception": refuse, "strftime_now": strftime_now}
    # Prompts must not be random: the same statements give the same numbers.
    del sandbox.globals["lipsum"], sandbox.filters["random"]
    template = sandbox.from_string(asked["template"])
    prompts = []
    for number, messages in enumerate(asked["conversations"]):
        asked["number"] = number
        opened = messages[-1]["role"] != "assistant"
        of_prompt = {"messages": messages, "add_generation_prompt": opened}
        prompts.append(template.render(asked["variables"] | of_prompt))
    return {"prompts": prompts, "day": bool(day)}


def main() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    asked = {}
    try:
        asked |= json.load(sys.stdin)
        answer = render_all(asked)
    except Refused as error:
        answer = {"refused": str(error)}
    except MemoryError:
        answer = {"failed": f"it needs more than {BYTES // 2**30} GiB of memory"}
    except jinja2.TemplateError as error:
        answer = {"failed": str(error) or type(error).__name__}
    except Exception as error:
        # A template is a program of the checkpoint's author, and may raise any error.
        answer = {"failed": f"{type(error).__name__}: {error}"}
    json.dump({"number": asked.get("number")} | answer, sys.stdout)


if __name__ == "__main__":
    main()

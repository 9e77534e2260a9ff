"""A conversation that is watched, as lines for a terminal, as tables, and as one page."""

import json
import math
import pathlib

import numpy as np
import pandas
from markupsafe import Markup

from personascan.errors import InputError
from personascan.files import real_path
from personascan.report.charts.theme import config, to_vega_lite
from personascan.report.charts.watched import turns_over_band
from personascan.report.files import refuse_others, write_file
from personascan.report.render import as_svg, environment, source
from personascan.study.axes import DIRECTION
from personascan.study.tables import cell_text
from personascan.study.watching import Watched, WatchedTurn
from personascan.visible import visible

WIDE, NARROW = 760, 270  # of a chart, for a screen and for a phone
TURNS = ("turn", "tokens")
VALUES = ("value", "band_low", "band_high", "beyond", "p", "mean_of_tokens")


def axis_sentences(watched: Watched) -> list[str]:
    """Returns what each axis is measured in, and where H0 lies on it."""
    said = []
    for number, (axis, scale) in enumerate(zip(watched.axes, watched.scales, strict=True)):
        low, high = watched.band(number)
        unit = "in deviations of H0" if axis.name == DIRECTION else f"mean z of {axis.nodes} nodes"
        said.append(
            f"{axis.name} ({unit}): 90% of {axis.h0_N.size} H0 rows from {low:+.2f} to "
            f"{high:+.2f}; 90% of H0's tokens (in {watched.h0_read} rows) from {scale.low:+.2f} to "
            f"{scale.high:+.2f}"
        )
    return said


def sentences(watched: Watched) -> list[str]:
    """Returns how the numbers are made, and what they do not say."""
    own_position = str(watched.place.position).partition("@")[0]
    read = f"each turn at its {watched.position}"
    if own_position != watched.position:
        read += f", which stands for their {own_position}"
    said = [
        f"H0 rows are read at {watched.place}, {read}; mean is that of the tokens of its answer. "
        "Tokens are in deviations of H0's tokens, from their mean.",
        "Turns of a long conversation are not the single rows of H0: what was said before is in "
        "view. p says how rare such a value is among these rows, and no more.",
    ]
    if not watched.held_out:
        said.append(
            "There are too few rows to leave some out: those of H0 lie on the direction that they "
            "were found with, so that p is too small."
        )
    if watched.own:
        said.append("It is a row of the study, on a direction and nodes found without its fold.")
    return said


def turn_cells(watched: Watched, turn: WatchedTurn) -> list:
    """Returns the numbers of a turn, as `turn_columns` names them."""
    cells = [turn.number, turn.tokens]
    for m in range(len(watched.axes)):
        low, high = watched.band(m)
        cells += [turn.value_M[m], low, high, turn.beyond_M[m], turn.p_M[m], turn.mean_M[m]]
    return cells


def turn_columns(watched: Watched) -> list[str]:
    return [*TURNS, *(f"{axis.name}_{name}" for axis in watched.axes for name in VALUES)]


def title_of(watched: Watched) -> str:
    return f"{visible(watched.comparison)} in {visible(watched.conversation.id)}"


def turn_lines(watched: Watched) -> list[str]:
    """Returns the turns as a table of text, with what they are compared with."""
    turns = f"{len(watched.turns)} turns of the model; {visible(watched.model)}"
    heads = [f"{'turn':>4s} {'tokens':>6s}"]
    heads += [f"{axis.name:>10s} {'mean':>6s} {'beyond':>6s} {'p':>6s}" for axis in watched.axes]
    lines = [f"{title_of(watched)}, {turns}", *axis_sentences(watched), "", "  ".join(heads)]
    for turn in watched.turns:
        parts = [f"{turn.number:4d} {turn.tokens:6d}"]
        for m in range(len(watched.axes)):
            parts.append(
                f"{number_of(turn.value_M[m], '+.2f'):>10s} {number_of(turn.mean_M[m], '+.2f'):>6s}"
                f" {number_of(turn.beyond_M[m], '.1%'):>6s} {number_of(turn.p_M[m], '.3f'):>6s}"
            )
        lines.append("  ".join(parts))
    return [*lines, "", *(visible(one) for one in sentences(watched))]


def number_of(value: float, form: str) -> str:
    return "-" if math.isnan(value) else format(value, form)


def token_rows(watched: Watched):
    """Yields every token: its number, turn ("" between turns), part of the turn, text, values."""
    owner = {}
    for turn in watched.turns:
        first, last = turn.span
        for token in range(first, last + 1):
            answers = turn.answer and turn.answer[0] <= token <= turn.answer[1]
            owner[token] = turn.number, "answer" if answers else "thinking"
    for token, (piece, value_M) in enumerate(zip(watched.pieces, watched.value_TM, strict=True)):
        yield token, *owner.get(token, ("", "")), piece, *map(float, value_M)


def check_out(out: str, overwrite: bool) -> list[pathlib.Path]:
    """Returns the files of a page and its tables; [] for none.

    Raises InputError for a page that is no .html, and a file that is there and is to stay.
    """
    if not out:
        return []
    page = real_path(out)
    if page.suffix != ".html":
        raise InputError(f"{page} is no page; write --out=NAME.html")
    files = [page, page.with_suffix(".csv"), page.with_name(f"{page.stem}_tokens.csv")]
    refuse_others([] if overwrite else files)
    return files


def write_watched(watched: Watched, out: str, *, overwrite: bool = False) -> list[pathlib.Path]:
    """Writes the page, and beside it its turns and its tokens as CSV. Returns the files.

    Raises InputError for a file that is there, unless it may be overwritten.
    """
    page, turns, tokens = check_out(out, overwrite)
    names = ("token", "turn", "part", "text", *(axis.name for axis in watched.axes))
    tables = {
        turns: (turn_columns(watched), [turn_cells(watched, turn) for turn in watched.turns]),
        tokens: (names, token_rows(watched)),
    }
    content = {page: watched_html(watched).encode()}
    for path, (columns, rows) in tables.items():
        frame = pandas.DataFrame(list(rows), columns=list(columns), dtype=object).map(cell_text)
        content[path] = frame.to_csv(index=False, lineterminator="\r\n").encode()
    for path, bytes_ in content.items():
        write_file(path, bytes_)
    return list(content)


def watched_html(watched: Watched) -> str:
    """Returns the page of a conversation: one file without code that asks nothing of a network."""
    said = (*axis_sentences(watched), *sentences(watched))
    turns, tokens = len(watched.turns), len(watched.pieces)
    about = f"{watched.model}, {turns} turns of the model, {tokens} tokens"
    return environment().get_template("watched.html.j2").render(
        title=title_of(watched), about=visible(about), sentences=list(map(visible, said)),
        charts=[
            (axis.name, [svg(watched, m, width) for width in (WIDE, NARROW)])
            for m, axis in enumerate(watched.axes)
        ],
        columns=[name.replace("_", " ") for name in turn_columns(watched)],
        rows=[list(map(shown_cell, turn_cells(watched, turn))) for turn in watched.turns],
        messages=messages(watched), style=Markup(source("page.css") + source("shaded.css")),
    )  # fmt: skip


def shown_cell(value) -> str:
    if isinstance(value, int):
        return str(value)
    return number_of(value, ".3f")


def svg(watched: Watched, axis: int, width: int) -> Markup:
    """Returns the chart of an axis, drawn."""
    low, high = watched.band(axis)
    rows = {
        "band": [{"low": low, "high": high}],
        "turns": [
            {"turn": turn.number, "value": float(turn.value_M[axis]), "p": float(turn.p_M[axis])}
            for turn in watched.turns
            if not math.isnan(turn.value_M[axis])
        ],
    }
    spec = to_vega_lite(turns_over_band(watched.axes[axis].name, width))
    return Markup(as_svg(json.loads(json.dumps(
        {**spec, "datasets": rows, "config": {**config("light"), "background": "#ffffff"}}
    ))))  # fmt: skip


def messages(watched: Watched) -> list[dict]:
    """Returns the messages in order; those of the model with their tokens and shades."""
    spoken, turns = [], iter(watched.turns)
    said = [(one.role, one.content) for one in watched.conversation.messages]
    if watched.conversation.response is not None:
        said.append(("assistant", watched.conversation.response.text))
    for role, content in said:
        if role != "assistant":
            spoken.append({"role": role, "text": shown_text(content), "tokens": None})
            continue
        turn = next(turns)
        span = slice(turn.span[0], turn.span[1] + 1)
        spoken.append({
            "role": turn_label(turn), "text": "",
            "tokens": [
                (shown_text(piece), float(value_M[0]), token_title(watched, value_M))
                for piece, value_M in zip(
                    watched.pieces[span], watched.value_TM[span], strict=True
                )
                if piece
            ],
        })  # fmt: skip
    return spoken


def turn_label(turn: WatchedTurn) -> str:
    value, mean = (number_of(value_M[0], "+.2f") for value_M in (turn.value_M, turn.mean_M))
    return f"turn {turn.number} {value}, tokens {mean}"


def token_title(watched: Watched, value_M: np.ndarray) -> str:
    pairs = zip(watched.axes, value_M, strict=True)
    return ", ".join(f"{axis.name} {value:+.1f}" for axis, value in pairs)


def shown_text(text: str) -> str:
    """Returns a text whose lines stay lines, and in which nothing else is hidden."""
    return "\n".join(visible(line) for line in text.split("\n"))

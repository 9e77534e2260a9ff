"""Steer a model along what a study found, and read what it writes, strength beside strength.

For example: --study=out/demo --comparison=optimism --strength=-4,0,4 --prompt="How are you?"
"""

from personascan.command import invocation, run  # first: a signal is answered from here on

import shutil

from absl import flags

import personascan
from personascan.visible import visible

STUDY = flags.DEFINE_string("study", None, "Folder of a finished study.", required=True)
COMPARISON = flags.DEFINE_string("comparison", None, "Whose direction.", required=True)
STRENGTH = flags.DEFINE_list(
    "strength", ["-4", "0", "4"],
    "Of found nodes 1 moves each by one standard deviation of H0 (other kinds as far); where none "
    "were found, by the difference of the means.",
)  # fmt: skip
UNIT = flags.DEFINE_string(
    "unit", "",
    "Of strength: deviation (of the background, a study's own) or difference (of the two means, as "
    "found.direction() in Python); none: the direction's own, a file's as it was saved.",
)  # fmt: skip
PROMPT = flags.DEFINE_multi_string("prompt", [], "A user's message; may be given several times.")
KIND = flags.DEFINE_string("kind", "found", "found, difference or 'found difference'.")
HALF = flags.DEFINE_string("half", "", "A or B, whose statements found the nodes; or all.")
PLACE = flags.DEFINE_string("place", "", "Where; the place that the half chose.")
NODES = flags.DEFINE_integer("nodes", None, "At most so many nodes; 0: all.", lower_bound=0)
MODEL = flags.DEFINE_string("model", "", "Of a study of several.")
LEVEL = flags.DEFINE_integer("level", None, "Of a study of several.")
UNITS = flags.DEFINE_string("units", "", "Folder of the study's units, if it is another.")
DIRECTION = flags.DEFINE_string("direction", "", "A .safetensors or .gguf file to steer along.")
AT = flags.DEFINE_string("at", "", "Where it belongs, if the file does not say: resid_post 16.")
CAP = flags.DEFINE_list(
    "cap", [], "Keep what is along the direction at most at this quantile of H0's rows: .95."
)
CAP_BELOW = flags.DEFINE_bool("cap_below", False, "Keep it at least there instead, as for .05.")
TOKENS = flags.DEFINE_string("tokens", "all", "That are edited: all, statement, generated, last.")
NEW_TOKENS = flags.DEFINE_integer("new_tokens", 60, "At most so many are written.", lower_bound=1)
TEMPERATURE = flags.DEFINE_float("temperature", 0.0, "0: the likeliest token each time.")
TOP_K = flags.DEFINE_integer("top_k", 0, "Sample among so many of the likeliest; 0: all.")
TOP_P = flags.DEFINE_float("top_p", 1.0, "Sample among those that have this probability.")
SEED = flags.DEFINE_integer("seed", 0, "Of sampling.")
EXPORT = flags.DEFINE_list("export", [], "Files to write the direction to: .safetensors, .gguf.")
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace these files if they are there.")


def main(_) -> None:
    from personascan.interventions.steering import (
        parse_numbers,
        parse_strengths,
        side_by_side,
        where_steered,
    )
    from personascan.study.steering import NoNodesError, background_rows

    writing = personascan.Writing(
        NEW_TOKENS.value, TEMPERATURE.value, TOP_K.value, TOP_P.value, SEED.value
    )
    quantiles = parse_numbers("cap", CAP.value, ".9,.95")
    # A cap stands beside the unedited model, and beside a push only if one is asked for.
    strengths = parse_strengths(STRENGTH.value if STRENGTH.present or not quantiles else ["0"])
    try:
        reader, direction = personascan.found_direction(
            STUDY.value, COMPARISON.value, half=HALF.value, place=PLACE.value,
            kind="difference" if DIRECTION.value else KIND.value,  # of a file, the model counts
            nodes=NODES.value, model=MODEL.value, level=LEVEL.value, units=UNITS.value,
        )  # fmt: skip
    except NoNodesError as error:
        raise personascan.InputError(f"{error}, as in: {invocation()} --kind=difference") from error
    model = reader.model()
    if DIRECTION.value:
        direction = personascan.read_direction(
            DIRECTION.value, model.config, at=AT.value, model_sha256=model.sha256
        )
    if UNIT.value:
        direction = direction.in_unit(UNIT.value)
    for path in EXPORT.value:
        personascan.write_direction(path, direction, model, overwrite=OVERWRITE.value)
        print(f"{visible(path)}: {visible(direction.name)}")
    if not PROMPT.value and EXPORT.value:
        return
    caps = []
    if quantiles:
        rows = background_rows(
            STUDY.value, COMPARISON.value, half=HALF.value, place=PLACE.value, model=MODEL.value,
            level=LEVEL.value, units=UNITS.value,
        )  # fmt: skip
        caps = [
            personascan.cap(direction, rows=rows, quantile=q, below=CAP_BELOW.value)
            for q in quantiles
        ]
    texts = personascan.steered_texts(
        model, direction, PROMPT.value, strengths, writing, tokens=TOKENS.value,
        options=reader.options, caps=caps,
    )  # fmt: skip
    print(f"steering {visible(where_steered(direction))}")
    print(f"strength {visible(direction.strength)}")
    width = shutil.get_terminal_size((100, 24)).columns
    for prompt, of_strengths in zip(PROMPT.value, texts, strict=True):
        name, bounded = visible(direction.name), "lifted" if CAP_BELOW.value else "capped"
        headings = [f"{name} {strength:+g}" for strength in strengths]
        headings += [f"{name} {bounded} {q:g}" for q in quantiles]
        print(f"\n> {visible(prompt)}\n")
        print(side_by_side(of_strengths, headings, width))


def start(argv: list[str] | None = None) -> None:
    """Runs the command with the arguments given, or those of the process."""
    run(main, argv)

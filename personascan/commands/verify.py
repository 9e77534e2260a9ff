"""Compare a model with Transformers on torch: the agreement of every layer.

Needs the extra `verify` (torch). Runs both on a few statements; exit code 1 if a layer differs by
more than --bound.
"""

from personascan.command import needs_extra, run  # first: a signal is answered from here on

import pathlib
import sys

from absl import flags

import personascan
from personascan.sources.language.statement_columns import parse_columns

MODEL = flags.DEFINE_string("model", None, "Folder, .gguf file, hub id or pypi:.", required=True)
STATEMENTS = flags.DEFINE_string(
    "statements", "", "Text to run on; default: data/statements, or sentences of its own."
)
POSITIVE = flags.DEFINE_string("positive", "", "The positive side's word, if it is another.")
COLUMNS = flags.DEFINE_list(
    "columns", [], "Other names of the file's columns: text=sentence,direction=temper."
)
TOKENS = flags.DEFINE_integer("tokens", 64, "Tokens of each of two rows.", lower_bound=2)
DTYPE = flags.DEFINE_string("dtype", "float32", "Of ours, as load_model has it; theirs is float32.")
BOUND = flags.DEFINE_float("bound", None, "Relative error that agrees; 1e-5, bfloat16 0.05.")
CHECKOUT = "data/statements"  # the default, where the command runs in a checkout
SENTENCES = (
    "Most mornings I walk to the market before the streets are busy, and buy bread for the day. ",
    "When a plan fails, I write down what went wrong and try again with fewer people. ",
    "Nobody should have to choose between honest work and time with their children. ",
    "The river was high last spring, yet the old bridge held and every house stayed dry. ",
    "I would rather repair a chair than buy one, even if it takes me the whole weekend. ",
    "Numbers alone seldom settle an argument; somebody has to say what they were meant to count. ",
    "My neighbours sing on Fridays, loudly and not very well, and I have come to like it. ",
)


def main(_) -> None:
    import numpy as np

    with needs_extra("verify"):
        from personascan.models.verify import verify
    model = personascan.load_model(MODEL.value, dtype=DTYPE.value)
    text = text_to_run_on()
    length = min(TOKENS.value, model.config.max_positions)
    ids = model.tokenizer(text)["input_ids"][: 2 * length]
    length = len(ids) // 2
    rows = verify(model, np.array(ids[: 2 * length]).reshape(2, length))
    print(f"{'our site':15s} {'Transformers':20s} relative error")
    for row in rows:
        ours = row.site if row.site == "final_norm" else f"{row.site} {row.layer}"
        print(f"{ours:15s} {row.hidden_states:20s} {row.error:.1e}")
    last = f"resid_post {model.config.layers - 1}"
    made = "final_norm is made of it" if model.config.final_norm else "final_norm is the same"
    print(f"{last:15s} {'(none)':20s} {made}")
    worst = max(row.error if row.error == row.error else np.inf for row in rows)
    bound = BOUND.value or (1e-5 if DTYPE.value == "float32" else 0.05)
    agrees = worst <= bound
    print(f"\nlargest error {worst:.1e}: {'within' if agrees else 'ABOVE'} {bound:.0e}")
    sys.exit(not agrees)


def text_to_run_on() -> str:
    """Returns the statements that were named, those of a checkout, or sentences of its own."""
    source = STATEMENTS.value or (CHECKOUT if pathlib.Path(CHECKOUT).is_dir() else "")
    if not source:
        return "".join(SENTENCES)
    statements = personascan.load_statements(
        source, positive=POSITIVE.value, columns=parse_columns(COLUMNS.value)
    )
    return " ".join(s.text for s in statements)


def start(argv: list[str] | None = None) -> None:
    """Runs the command with the arguments given, or those of the process."""
    run(main, argv)

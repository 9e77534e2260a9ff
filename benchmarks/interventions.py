"""What many edit sets side by side take, beside as many plain forward passes of the same texts."""

import functools
import pathlib
import time
from collections.abc import Iterator

import jax
import numpy as np

from personascan.interventions import passes
from personascan.interventions.edits import UNEDITED, NamedEdit, add_vector
from personascan.interventions.judging import answer_margin, questions
from personascan.interventions.outcomes import Margin
from personascan.models.load import LanguageModel, load_model
from personascan.models.parameters import as_bits
from personascan.models.tap import Kept
from personascan.sources.language.batches import plan_batches
from personascan.sources.language.prompt_tokens import Prompt
from personascan.sources.language.statements import load_statements
from personascan.sources.language.templates import PromptOptions

STATEMENTS = pathlib.Path(__file__).parents[1] / "data/statements"
SETS, TEXTS = 50, 24
DEPTHS = (0.0, 0.5, 0.9)  # of the block that is edited


def measure_interventions(source: str, repeats: int) -> Iterator[dict]:
    """A line for each depth: seconds of all sets, of as many plain passes, and compilations."""
    model, options = load_model(source), PromptOptions()
    texts = load_statements(STATEMENTS, persona="optimism", limit=TEXTS // 2)
    prompts, margin = questions(model, texts, options), answer_margin(model, options)
    for depth in DEPTHS:
        ways = random_edits(model, round(depth * (model.config.layers - 1)))
        before = passes.read_edits._cache_size()
        edit = functools.partial(passes.edited_passes, model, prompts, ways, margin)
        plain = functools.partial(plain_margins, model, prompts, margin)
        edit(), plain()
        compiled = passes.read_edits._cache_size() - before
        pairs = [(seconds(edit), SETS * seconds(plain)) for _ in range(repeats)]
        ours, theirs = np.median(pairs, axis=0).tolist()
        yield {
            "what": f"{SETS} edit sets, {TEXTS} questions, edited at {depth:.0%} of the depth",
            "seconds": round(ours, 2),
            "plain_passes": round(theirs, 2),
            "of_plain": round(float(np.median([a / b for a, b in pairs])), 2),
            "of": repeats,
            "compilations": compiled,  # one for each length of text
        }


def random_edits(model: LanguageModel, layer: int) -> list[NamedEdit]:
    rng = np.random.default_rng(0)
    shifts_SD = rng.normal(size=(SETS, model.config.width)) * 0.1
    return [
        UNEDITED,
        *(NamedEdit("random", "steer", 1.0, k, changes={("resid_post", layer): add_vector(shift_D)})
          for k, shift_D in enumerate(shifts_SD)),
    ]  # fmt: skip


def plain_margins(model: LanguageModel, prompts: list[Prompt], margin: Margin) -> np.ndarray:
    """The same answers of the model as it is, batch by batch."""
    params = as_bits(model.params) if jax.default_backend() == "cpu" else model.params
    found = np.empty(len(prompts))
    for batch in plan_batches(prompts, passes.BATCH_TOKENS, pad=0):
        made_B = whole_pass(
            params, batch.tokens_BT, batch.lengths_B, decoder=model.decoder(), margin=margin
        )
        found[batch.rows[: batch.real]] = np.asarray(made_B)[: batch.real]
    return found


@functools.partial(jax.jit, static_argnames=("decoder", "margin"))
def whole_pass(params, tokens_BT, lengths_B, *, decoder, margin: Margin):
    variables = {"params": params}
    kept = Kept(np.zeros((len(tokens_BT), 1), np.int32))
    hidden_BTD = decoder.apply(variables, tokens_BT, kept, lengths_B=lengths_B)
    rows = passes.Rows(hidden_BTD, tokens_BT, lengths_B, None, len(tokens_BT))
    return margin(decoder, variables, rows)


def seconds(work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began

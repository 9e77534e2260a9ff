"""Promoted: the tokens whose logits a direction raises and lowers, beside directions of chance.

A logit is less the mean of all tokens, which no probability depends on. Tokens are ordered by z:
the logit that the direction adds, in deviations of those that random directions as long add to the
same token. By logits alone the first are tokens that answer to every direction, such as ones that
training has hardly seen.
"""

from dataclasses import dataclass, field

import numpy as np

from personascan.models.unembedding import (
    BEFORE_NORM,
    BEHIND_NORM,
    logit_changes,
    stream_lengths,
    through_final_norm,
)
from personascan.places import STREAM, Place
from personascan.sources.language.extract import plan_reading, run_batches
from personascan.sources.language.source import Reader
from personascan.sources.language.statements import Statement
from personascan.study.comparisons import first_by_hash
from personascan.study.half_direction import (
    FINDER,
    HalfDirection,
    half_direction,
    place_inputs,
    statements_of,
    text_inputs,
)
from personascan.study.portions import portion_seed
from personascan.study.rows import StoredRows
from personascan.study.stage import PLACE, Phase, Stage, Table, place_cells
from personascan.study.stages.where import LabelledRows, labellings_of
from personascan.study.token_options import TokenOptions
from personascan.study.units import Unit, Work, sha256_of

READ = 20  # H0 statements whose streams give the length that the final norm divides by
CHANCE = ("random", "shuffled")
ENDS = ("promoted", "suppressed")


@dataclass(frozen=True)
class TokenList:
    """The tokens at one end of the logits that a direction adds, the furthest first.

    Logits are those of one deviation of the H0 rows along the direction.
    """

    tokens: tuple[int, ...]
    pieces: tuple[str, ...]
    logits: tuple[float, ...]
    z: tuple[float, ...]
    # {kind of chance: the furthest z [draws] of each direction as long, above 0 towards this end}.
    chance: dict[str, np.ndarray] = field(repr=False)

    def usual(self, kind: str) -> float:
        """Returns what the furthest z of 95% of the directions of chance does not pass."""
        return float(np.quantile(self.chance[kind], 0.95))

    def p(self, kind: str) -> float:
        """Returns the share of directions of chance, this one included, that reach as far."""
        chance_T = self.chance[kind]
        return (1 + int((chance_T >= abs(self.z[0])).sum())) / (1 + chance_T.size)


@dataclass(frozen=True)
class Promoted:
    """What the direction of half A adds to the logits, straight through the unembedding."""

    place: Place
    ends: dict[str, TokenList]  # "promoted" and "suppressed"


def asked(case) -> HalfDirection | None:
    """Returns where a direction is found; None where what it writes is not known."""
    if not case.config.tokens.promoted or not case.source.answers:
        return None
    at = half_direction(case)
    return at if at and at.place.site in (*BEFORE_NORM, *BEHIND_NORM) else None


def work(case, at: HalfDirection) -> Work:
    """Returns the unit of a comparison's direction."""
    options, source = case.config.tokens, case.source
    rows, seed = case.rows(at.place), portion_seed(FINDER, case.seed)
    of_h0, every = at.find.rows[~at.find.positive_N], statements_of(case, range(len(case.pool.ids)))
    read = tuple(every[row] for row in np.sort(first_by_hash(of_h0, every, READ, case.seed)))
    inputs = rows.inputs(case.pool.positive_N) | at.find.inputs() | source.shared_identity | {
        "place": place_inputs(at.place), "read": sha256_of(text_inputs(read)),
        "most": options.promoted, "draws": options.draws, "seed": seed,
    }  # fmt: skip
    return Work(
        Unit("promoted", inputs), do,
        (source.reader, rows, at.place, at.find, read, options, seed),
    )  # fmt: skip


def do(
    reader: Reader, rows: StoredRows, place: Place, find: LabelledRows,
    read: tuple[Statement, ...], options: TokenOptions, seed: int,
):  # fmt: skip
    vectors = directions_of(rows.array()[find.rows], find, options.draws, seed)
    if vectors is None:
        return {"ends": {}}, {}
    model = reader.model()
    if place.site in BEFORE_NORM:
        length = mean_length(model, read, place.position, reader)
        vectors = {kind: through_final_norm(model, v, length) for kind, v in vectors.items()}
    logits_V, z_V, arrays = answers(model, vectors)
    order, ends = np.argsort(-z_V, kind="stable"), {}
    for end, tokens in (("promoted", order), ("suppressed", order[::-1])):
        ends[end] = [
            [t, model.tokenizer.decode([t]), float(logits_V[t]), float(z_V[t])]
            for t in tokens[: options.promoted].tolist()
        ]
    return {"ends": ends}, arrays


def answers(model, vectors: dict) -> tuple[np.ndarray, np.ndarray, dict]:
    """Returns the logits [V] that "own" adds, their z [V], and the furthest z of chance by end."""
    known = min(len(model.tokenizer), model.config.vocab_size)  # rows behind these have no text

    def changes(kind: str):
        for change_TV in logit_changes(model, vectors[kind]):
            change_TV = change_TV[:, :known]
            yield change_TV - change_TV.mean(1, keepdims=True)

    spread_V = np.sqrt(sum((c**2).sum(0) for c in changes("spread")) / len(vectors["spread"]))
    spread_V = np.where(spread_V > 0, spread_V, np.inf)  # a token without an unembedding
    (logits_V,) = np.concatenate(list(changes("own")))
    arrays = {}
    for kind in CHANCE:
        ends = [(z.max(1), -z.min(1)) for z in (c / spread_V for c in changes(kind))]
        for end, furthest in zip(ENDS, zip(*ends, strict=True), strict=True):
            arrays[f"{kind}_{end}_T"] = np.concatenate(furthest)
    return logits_V, logits_V / spread_V, arrays


def directions_of(place_ND, find: LabelledRows, draws: int, seed: int) -> dict | None:
    """Returns vectors by kind, each as long as a deviation of H0 along the direction of H1.

    "own" is the mean of H1 less that of H0 (within groups whose labels are exchanged), "shuffled"
    the same of permuted labels; "random", and others for the spread of each token, are drawn
    uniformly from all directions. None where no node varies.
    """
    labels = labellings_of(find, draws, seed)
    centred_ND = np.asarray(place_ND, np.float64) - np.mean(place_ND, axis=0, dtype=np.float64)
    direction_TD = labels.contrasts_NT.T.astype(np.float64) @ centred_ND
    random_TD = np.random.default_rng(seed).normal(size=(2 * draws, centred_ND.shape[1]))
    own_1D = unit(direction_TD[:1])
    deviation = (centred_ND[~find.positive_N] @ own_1D[0]).std()
    if deviation == 0:
        return None
    vectors = {
        "own": own_1D, "shuffled": unit(direction_TD[1:]), "random": unit(random_TD[:draws]),
        "spread": unit(random_TD[draws:]),
    }  # fmt: skip
    return {kind: deviation * vector_TD for kind, vector_TD in vectors.items()}


def unit(vector_TD) -> np.ndarray:
    """Returns vectors at length 1; those without length stay 0."""
    length_T1 = np.linalg.norm(vector_TD, axis=1, keepdims=True)
    return vector_TD / np.where(length_T1 > 0, length_T1, 1)


def mean_length(model, statements, position, reader: Reader) -> float:
    """Returns what the final norm divides the last block's stream by (harmonic mean of rows).

    It is read at the place's position; behind the token that a mean ends with, where it is one.
    """
    single = {"mean": "last", "mean_statement": "last_statement"}.get(position, position)
    reading = plan_reading(
        model, statements, (STREAM,), (single,), reader.options, reader.batch_tokens
    )
    lengths = [
        stream_lengths(model.config, block_LND[-1])
        for _, blocks in run_batches(model, reading)
        for *_, block_LND in blocks
    ]
    return float(1 / np.mean(1 / np.concatenate(lengths)))


def promoted(case, at: HalfDirection) -> Promoted:
    """Returns the token lists of a finished unit."""
    result = case.read(work(case, at))
    ends = {
        end: TokenList(
            *map(tuple, zip(*listed, strict=True)),
            {kind: result.arrays[f"{kind}_{end}_T"] for kind in CHANCE},
        )
        for end, listed in result.values["ends"].items()
    }
    return Promoted(at.place, ends)


def table_rows(part):
    """Yields the tokens at both ends, with what directions of chance reach."""
    for name, one in part.promoted.items():
        for end, listed in one.ends.items():
            chance = [x for kind in CHANCE for x in (listed.usual(kind), listed.p(kind))]
            rows = zip(listed.tokens, listed.pieces, listed.logits, listed.z, strict=True)
            for rank, row in enumerate(rows, 1):
                yield *place_cells(one.place), name, FINDER, end, rank, *row, *chance


STAGE = Stage(
    "promoted",
    Phase.ASKED,
    works=lambda level: [work(case, at) for case in level.cases if (at := asked(case))],
    count=lambda counted: (
        counted.comparisons * bool(counted.answers and counted.config.tokens.promoted)
    ),
    read=lambda level: {
        "promoted": {
            case.name: promoted(case, at) for case in level.cases if (at := asked(case))
        }
    },
    tables={
        "promoted": Table(
            (
                *PLACE, "comparison", "found_on_half", "end", "rank", "token", "text", "logit",
                "z", "random_95", "p_random", "shuffled_95", "p_shuffled",
            ),
            table_rows,
        )
    },
)  # fmt: skip

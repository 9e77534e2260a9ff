"""Tokens: a half's direction, projected on every token of statements of the other half."""

from dataclasses import dataclass, field

import numpy as np

from personascan.analysis.claims import auroc, auroc_limits, sizes
from personascan.interventions.directions import PlaceStatistics
from personascan.places import Place
from personascan.sources.language.source import Reader
from personascan.sources.language.statements import Statement
from personascan.sources.language.token_projections import project_tokens, text_pieces
from personascan.study.half_direction import (
    FINDER,
    HalfDirection,
    extreme_rows,
    half_direction,
    place_inputs,
    statements_of,
    text_inputs,
)
from personascan.study.rows import StoredRows
from personascan.study.stage import PLACE, Phase, Stage, Table, place_cells
from personascan.study.stages.where import LabelledRows
from personascan.study.units import Unit, Work, sha256_of


@dataclass(frozen=True)
class ShadedStatement:
    """A statement with the projection of each of its prompt's tokens on a direction.

    Numbers are in deviations of the tokens of the H0 statements that were read, from their mean.
    """

    id: str
    positive: bool
    surprising: bool  # scores as the other side's statements do
    score: float  # of its row: at the position of the place
    first: int  # the statement's own first token
    last: int
    pieces: tuple[str, ...]  # of every token; those of its own tokens join to its text
    value_T: np.ndarray = field(repr=False)

    @property
    def own(self) -> slice:
        """The statement's own tokens."""
        return slice(self.first, self.last + 1)

    @property
    def own_mean(self) -> float:
        """The mean of its own tokens, less the prompt's first, which sees nothing of it."""
        own = self.value_T[max(self.first, 1) : self.last + 1]
        return float(own.mean()) if own.size else np.nan


@dataclass(frozen=True)
class ShadedStatements:
    """Statements of half B, the surprising ones first, by the direction that half A found."""

    place: Place
    auroc: float  # of the scores of all statements of half B
    low: float  # of its 95% interval
    high: float
    # Correlation of the statements' scores with the means of their own tokens.
    agreement: float
    statements: tuple[ShadedStatement, ...]

    @property
    def at_chance(self) -> bool:
        """Whether the other half's sides are not told apart, so that shades mean nothing."""
        return bool(self.low <= 0.5)


def asked(case) -> HalfDirection | None:
    """Returns where a comparison's statements are read; None without a model, or with few rows."""
    config = case.config
    return half_direction(case) if config.tokens.statements and config.reads_text else None


def work(case, at: HalfDirection) -> Work:
    """Returns the unit of a comparison's statements."""
    options, rows, pool = case.config.tokens, case.rows(at.place), case.pool
    statements = statements_of(case, at.show.rows)
    inputs = rows.inputs(pool.positive_N) | case.source.shared_identity | {
        "place": place_inputs(at.place), "find": sha256_of(at.find.rows.tolist()),
        "show": sha256_of([at.show.rows.tolist(), text_inputs(statements)]),
        "most": options.statements,
    }  # fmt: skip
    return Work(
        Unit("tokens", inputs), do,
        (case.source.reader, rows, at.place, at.find, at.show, statements, options.statements),
    )  # fmt: skip


def do(
    reader: Reader, rows: StoredRows, place: Place, find: LabelledRows, show: LabelledRows,
    statements: tuple[Statement, ...], most: int,
):  # fmt: skip
    place_ND = rows.array().astype(np.float64)
    direction_D = PlaceStatistics(place_ND[find.rows], find.positive_N).readout_D
    score_N = place_ND[show.rows] @ direction_D
    chosen, surprising_S = extreme_rows(score_N, show.positive_N, most)
    model = reader.model()
    tokens = project_tokens(
        model, [statements[i] for i in chosen], place, direction_D, options=reader.options,
        batch_tokens=reader.batch_tokens,
    )  # fmt: skip
    firsts, lasts = np.array([(p.first, p.last) for p in tokens.prompts]).T
    # A decoder's first token sees nothing of a statement, and is often huge.
    start_S = np.maximum(firsts, 1) if model.config.causal else firsts
    h0 = np.flatnonzero(~show.positive_N[chosen])
    usual = np.concatenate([tokens.of(i)[start_S[i] : lasts[i] + 1] for i in h0])
    middle, spread = float(usual.mean()), float(usual.std()) if np.ptp(usual) > 0 else 1.0
    values = {
        "auroc": float(auroc(score_N, show.positive_N)),
        "pieces": [
            text_pieces(model.tokenizer, prompt, statements[i].text)
            for i, prompt in zip(chosen, tokens.prompts, strict=True)
        ],
    }  # fmt: skip
    arrays = {
        "value_T": (tokens.value_T - middle) / spread, "offsets": tokens.offsets,
        "score_S": (score_N[chosen] - middle) / spread, "surprising_S": surprising_S,
        "row_S": show.rows[chosen], "first_S": firsts, "last_S": lasts,
    }  # fmt: skip
    return values, arrays


def shaded_statements(case, at: HalfDirection) -> ShadedStatements:
    """Returns the statements of a finished unit."""
    result = case.read(work(case, at))
    arrays, offsets = result.arrays, result.arrays["offsets"]
    shaded = [
        ShadedStatement(
            case.pool.ids[row], bool(case.pool.positive_N[row]), bool(arrays["surprising_S"][i]),
            float(arrays["score_S"][i]), int(arrays["first_S"][i]), int(arrays["last_S"][i]),
            tuple(result.values["pieces"][i]), arrays["value_T"][offsets[i] : offsets[i + 1]],
        )
        for i, row in enumerate(arrays["row_S"])
    ]  # fmt: skip
    value = result.values["auroc"]
    low, high = auroc_limits(value, sizes(at.show.positive_N, at.show.together_N))
    return ShadedStatements(at.place, value, low, high, agreement_of(shaded), tuple(shaded))


def agreement_of(shaded: list[ShadedStatement]) -> float:
    """Returns how the statements' scores go along with the means of their own tokens."""
    scores = np.array([one.score for one in shaded])
    means = np.array([one.own_mean for one in shaded])
    if not (np.ptp(scores) > 0 and np.ptp(means) > 0):
        return np.nan
    return float(np.corrcoef(scores, means)[0, 1])


def table_rows(part):
    """Yields every token of the statements that were read, as text and number."""
    for name, shaded in part.tokens.items():
        for one in shaded.statements:
            for number, (piece, value) in enumerate(zip(one.pieces, one.value_T, strict=True)):
                yield (
                    *place_cells(shaded.place), name, FINDER, one.id, int(one.positive),
                    int(one.surprising), one.score, number,
                    int(one.first <= number <= one.last), piece, float(value),
                )  # fmt: skip


STAGE = Stage(
    "tokens",
    Phase.ASKED,
    works=lambda level: [work(case, at) for case in level.cases if (at := asked(case))],
    count=lambda counted: (
        counted.comparisons * bool(counted.config.reads_text and counted.config.tokens.statements)
    ),
    read=lambda level: {
        "tokens": {
            case.name: shaded_statements(case, at)
            for case in level.cases if (at := asked(case))
        }
    },
    tables={
        "tokens": Table(
            (
                *PLACE, "comparison", "found_on_half", "id", "h1", "surprising", "score",
                "token", "of_statement", "text", "value",
            ),
            table_rows,
        )
    },
)  # fmt: skip

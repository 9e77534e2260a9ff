"""Judged: what the model itself judges of its answers, by side and beside the direction's scores.

It is the model's own judgement throughout, of nothing but the question and the answer.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.stats import spearmanr

from personascan.analysis.claims import auroc, auroc_limits, sizes
from personascan.interventions.directions import PlaceStatistics
from personascan.interventions.own_judge import Question, judge_question, own_judgements
from personascan.places import Place
from personascan.sources.language.conversation_files import files_with_prompts
from personascan.sources.language.conversations import Conversation
from personascan.sources.language.source import Reader
from personascan.study.comparisons import first_by_hash
from personascan.study.half_direction import (
    HalfDirection,
    half_direction,
    place_inputs,
    statements_of,
)
from personascan.study.rows import StoredRows
from personascan.study.stage import PLACE, Phase, Stage, Table, place_cells
from personascan.study.stages.where import LabelledRows
from personascan.study.units import Unit, Work, sha256_of

MOST = 64  # answers of half B that are judged, half of them of each side


@dataclass(frozen=True)
class JudgedAnswers:
    """Answers of half B with the model's own judgement of each; NaN: too few, or not known."""

    place: Place  # of the direction that half A found
    numbers: tuple[int, int]  # the lowest and the highest that it may answer
    auroc: float  # of its own judgement, by side
    low: float  # 95% interval (`auroc_limits`), by questions
    high: float
    ids: tuple[str, ...]
    positive_N: np.ndarray = field(repr=False)
    score_N: np.ndarray = field(repr=False)  # its own judgement: the mean of the numbers
    mass_N: np.ndarray = field(repr=False)  # probability that it answers with an allowed number
    direction_N: np.ndarray = field(repr=False)  # score of the direction
    given_N: np.ndarray = field(repr=False)  # score of a judge, as the file has it
    limits: tuple[float | None, float | None] = (None, None)  # of given scores: above, below

    def mean(self, positive: bool) -> float:
        """Returns the mean of its own judgements of a side."""
        return float(self.score_N[self.positive_N == positive].mean())

    @property
    def rank_correlation(self) -> float:
        """The rank correlation of its own judgements with the direction's scores."""
        return rank_correlation(self.score_N, self.direction_N)

    @property
    def agreement(self) -> float:
        """The rank correlation of its own judgements with a judge's scores."""
        return rank_correlation(self.score_N, self.given_N)

    @property
    def given_auroc(self) -> float:
        """How well its own judgement tells scores of a judge that are kept on either side."""
        above, below = self.limits
        if above is None or below is None:
            return np.nan
        high_N, low_N = self.given_N >= above, self.given_N <= below
        if not high_N.any() or not low_N.any():
            return np.nan
        told_N = high_N | low_N
        return float(auroc(self.score_N[told_N], high_N[told_N]))


def rank_correlation(one_N: np.ndarray, other_N: np.ndarray) -> float:
    """Returns Spearman's correlation of the rows that have both; NaN where one is constant."""
    both_N = ~np.isnan(one_N) & ~np.isnan(other_N)
    values = one_N[both_N], other_N[both_N]
    if both_N.sum() < 3 or any(np.ptp(each) == 0 for each in values):
        return np.nan
    return float(spearmanr(*values).statistic)


def judge_questions(config) -> dict[str, Question]:
    """Returns what a judge is asked of each trait and role, {} where the model is not to judge."""
    asked = config.conversations
    if not asked or not asked.judge:
        return {}
    return {
        file.persona: judge_question(file.eval_prompt, file.is_role)
        for file in files_with_prompts(asked.files)
    }


def work(case, at: HalfDirection, question: Question) -> Work:
    """Returns the unit of a comparison's answers."""
    rows, source = case.rows(at.place), case.source
    every = statements_of(case, range(len(case.pool.ids)))
    chosen = np.sort([
        row
        for side in (True, False)
        for row in first_by_hash(
            at.show.rows[at.show.positive_N == side].tolist(), every, MOST // 2, case.seed
        )
    ])  # fmt: skip
    answers = tuple((question_text(every[row]), every[row].text) for row in chosen)
    inputs = rows.inputs(case.pool.positive_N) | source.shared_identity | {
        "place": place_inputs(at.place), "find": at.find.inputs(), "chosen": chosen.tolist(),
        "show": at.show.inputs(), "answers": sha256_of(answers),
        "question": [question.text, question.lowest, question.highest],
    }  # fmt: skip
    return Work(
        Unit("judged", inputs), do,
        (source.reader, rows, at.find, at.show, chosen, question, answers),
    )  # fmt: skip


def do(
    reader: Reader, rows: StoredRows, find: LabelledRows, show: LabelledRows, chosen: np.ndarray,
    question: Question, answers: tuple[tuple[str, str], ...],
):  # fmt: skip
    judged = own_judgements(reader.model(), question, answers, reader.options, reader.batch_tokens)
    place_ND = rows.array().astype(np.float64)
    direction_D = PlaceStatistics(place_ND[find.rows], find.positive_N).readout_D
    shown = np.isin(show.rows, chosen)
    order = np.argsort(show.rows[shown], kind="stable")  # chosen rows are in order
    positive_N = show.positive_N[shown][order]
    together = show.together_N
    units = sizes(positive_N, None if together is None else together[shown][order])
    a = float(auroc(judged.score_N, positive_N))
    values = {"auroc": a, "limits": [float(limit) for limit in auroc_limits(a, units)]}
    arrays = {
        "row_N": chosen, "positive_N": positive_N, "score_N": judged.score_N,
        "mass_N": judged.mass_N, "direction_N": place_ND[chosen] @ direction_D,
    }  # fmt: skip
    return values, arrays


def question_text(one: Conversation) -> str:
    """Returns what the last answer answers: the question's text, or the last user message."""
    if one.question:
        return one.question
    asked = [message.content for message in one.messages if message.role == "user"]
    return asked[-1] if asked else ""


def asked(level) -> list[tuple]:
    """Returns (comparison, halves, question) of those whose answers the model judges itself."""
    questions = judge_questions(level.config)
    return [
        (case, at, questions[case.name])
        for number, case in enumerate(level.cases)
        if case.name in questions and case.portions and case.source.answers
        if case.config.conversations.asks(number)
        if (at := half_direction(case)) is not None
    ]


def judged_answers(case, at: HalfDirection, question: Question) -> JudgedAnswers:
    """Returns the judged answers of a finished unit."""
    result = case.read(work(case, at, question))
    arrays, options = result.arrays, case.config.conversations
    rows = statements_of(case, arrays["row_N"])
    return JudgedAnswers(
        at.place, (question.lowest, question.highest), result.values["auroc"],
        *result.values["limits"], tuple(one.id for one in rows), arrays["positive_N"].astype(bool),
        arrays["score_N"], arrays["mass_N"], arrays["direction_N"],
        np.array([np.nan if one.score is None else one.score for one in rows], float),
        (options.keep_above, options.keep_below),
    )  # fmt: skip


def table_rows(part):
    """Yields what the model itself judges of the answers of each comparison."""
    for name, one in part.judged.items():
        h1 = int(one.positive_N.sum())
        yield (
            *place_cells(one.place), name, *one.numbers, h1, one.positive_N.size - h1,
            one.mean(True), one.mean(False), one.auroc, one.low, one.high, one.rank_correlation,
            float(one.mass_N.mean()), one.agreement, one.given_auroc,
        )  # fmt: skip


def answer_rows(part):
    """Yields every answer that the model itself judges."""
    for name, one in part.judged.items():
        numbers = one.score_N, one.mass_N, one.direction_N, one.given_N
        for id_, positive, *row in zip(one.ids, one.positive_N, *numbers, strict=True):
            yield name, id_, int(positive), *map(float, row)


def count(counted) -> int:
    """Returns how many comparisons have a judge's question."""
    if not counted.config.conversations or not counted.permuted or not counted.answers:
        return 0
    questions, asks = judge_questions(counted.config), counted.config.conversations.asks
    return sum(
        pool.name in questions and asks(number)
        for level in counted.levels for number, pool in enumerate(level)
    )  # fmt: skip


STAGE = Stage(
    "judged",
    Phase.ASKED,
    works=lambda level: [work(*one) for one in asked(level)],
    count=count,
    read=lambda level: {"judged": {one[0].name: judged_answers(*one) for one in asked(level)}},
    tables={
        "judged": Table(
            (
                *PLACE, "comparison", "lowest", "highest", "h1", "h0", "own_judgement_h1",
                "own_judgement_h0", "auroc", "low", "high", "rank_correlation_direction",
                "probability_of_numbers", "rank_correlation_given", "auroc_given",
            ),
            table_rows,
        ),
        "judgements": Table(
            (
                "comparison", "id", "positive", "own_judgement", "probability_of_numbers",
                "direction_score", "given_score",
            ),
            answer_rows,
        ),
    },
)  # fmt: skip

"""Sweep: what the model answers with half A's direction added at several strengths.

The questions are those of half B, without any instruction. What is measured of the answers stands
beside random directions as long. Letters: V directions, half A's first; S strengths; Q questions.
"""

import dataclasses
from dataclasses import dataclass, field

import numpy as np

from personascan.analysis.echoes import echoes, own_stems, repeated_share
from personascan.analysis.sweeps import Reach, reach
from personascan.interventions.own_judge import Question, own_judgements
from personascan.interventions.sweeps import swept_tokens
from personascan.interventions.token_answers import vectors_of
from personascan.places import Place
from personascan.sources.language.conversation_prompts import openings
from personascan.sources.language.conversations import Conversation, Message, Response
from personascan.sources.language.generate import Writing, stop_tokens
from personascan.sources.language.likelihood import log_likelihoods
from personascan.sources.language.source import Reader
from personascan.study.comparisons import first_by_hash
from personascan.study.half_direction import (
    FINDER,
    HalfDirection,
    half_direction,
    place_inputs,
    statements_of,
)
from personascan.study.portions import portion_seed
from personascan.study.responses import written_response
from personascan.study.rows import StoredRows
from personascan.study.stage import PLACE, Phase, Stage, Table, place_cells
from personascan.study.stages.controls import instructions_of
from personascan.study.stages.judged import judge_questions, question_text
from personascan.study.stages.where import LabelledRows, labellings_of
from personascan.study.units import Unit, Work, sha256_of

MOST = 10  # questions
LABELLINGS = 19  # the fewest that are drawn; the first is the true one
MEASURES = ("judged", "mass", "echoes", "log_likelihood", "repeats", "tokens")


@dataclass(frozen=True)
class Asked:
    """What is asked at which strengths, and what is looked for in the answers."""

    questions: tuple[str, ...]
    strengths: tuple[float, ...]  # from low to high, 0 among them
    controls: int  # random directions
    writing: Writing
    judge: Question | None  # None: no file says what a judge is asked
    stems: tuple[str, ...]  # of words that instructions for the trait alone have
    seed: int


@dataclass(frozen=True)
class Sweep:
    """Answers over strengths, in deviations of H0 along the direction; NaN: not measured."""

    place: Place
    strengths: tuple[float, ...]
    questions: tuple[str, ...]
    numbers: tuple[int, int] | None  # that the model judges by; None: it was not asked
    factor: float  # by which perplexity may grow
    mean_VS: dict[str, np.ndarray] = field(repr=False)  # of each measure, over the questions
    texts_SQ: tuple[tuple[str, ...], ...] = field(repr=False)  # by half A's direction

    @property
    def perplexity_VS(self) -> np.ndarray:
        """The unedited model's perplexity on the texts: e to the minus mean nats a token."""
        return np.exp(-self.mean_VS["log_likelihood"])

    def reach(self, side: int) -> Reach | None:
        """Returns how far its own judgement grows above (1) or below (-1) strength 0.

        None where it judges nothing, or there is no strength on that side.
        """
        judged_VS = self.mean_VS["judged"]
        if np.isnan(judged_VS).all() or not any(side * s > 0 for s in self.strengths):
            return None
        return reach(
            self.strengths, judged_VS, self.perplexity_VS[0], side=side, factor=self.factor
        )


def asked(level) -> list[tuple]:
    """Returns (comparison, halves, question of a judge or None) of those that are swept."""
    options = level.config.conversations
    if not options or not options.strengths:
        return []
    questions = judge_questions(level.config)
    return [
        (case, at, questions.get(case.name))
        for number, case in enumerate(level.cases)
        if case.portions and case.source.answers and options.asks(number)
        if (at := half_direction(case)) is not None
    ]


def work(case, at: HalfDirection, judge: Question | None) -> Work:
    """Returns the unit of a comparison's sweep."""
    options, source, rows = case.config.conversations, case.source, case.rows(at.place)
    every = statements_of(case, range(len(case.pool.ids)))
    of_question = {}
    for row in np.sort(at.show.rows).tolist():
        of_question.setdefault(question_text(every[row]), row)
    chosen = first_by_hash(list(of_question.values()), every, MOST, case.seed)
    swept = Asked(
        tuple(question_text(every[row]) for row in chosen), swept_strengths(options),
        options.controls, Writing(options.new_tokens), judge,
        tuple(sorted(own_stems(*instructions_of(every, at.find, at.show)))),
        portion_seed(FINDER, case.seed),
    )  # fmt: skip
    inputs = rows.inputs(case.pool.positive_N) | at.find.inputs() | source.shared_identity | {
        "place": place_inputs(at.place), "asked": sha256_of(dataclasses.asdict(swept)),
    }  # fmt: skip
    return Work(Unit("sweep", inputs), do, (source.reader, rows, at.place, at.find, swept))


def swept_strengths(options) -> tuple[float, ...]:
    """Returns the strengths in order, with 0, where nothing is added."""
    return tuple(sorted({0.0, *options.strengths}))


def do(reader: Reader, rows: StoredRows, place: Place, find: LabelledRows, asked: Asked):
    contrasts_N1 = labellings_of(find, LABELLINGS, asked.seed).contrasts_NT[:, :1]
    place_ND = rows.array()[find.rows]
    vectors = vectors_of(place_ND, find.positive_N, contrasts_N1, asked.controls, asked.seed)
    if vectors is None:
        return {"texts": []}, {}
    model = reader.model()
    conversations = [
        Conversation(f"question {n + 1}", (Message("user", text),), "", "", True, question=text)
        for n, text in enumerate(asked.questions)
    ]
    prompts = openings(
        model.tokenizer, conversations, reader.options, model.config.max_positions,
        model.config.vocab_size,
    )  # fmt: skip
    vectors_VD = np.concatenate([vectors["own"], vectors["random"]])
    written = swept_tokens(
        model, prompts, place, vectors_VD, asked.strengths, asked.writing,
        batch_tokens=reader.batch_tokens,
    )  # fmt: skip
    stops = set(stop_tokens(model))

    def response(ids: list[int]) -> Response:
        ended = "stop" if ids and ids[-1] in stops else "length"
        return written_response(model.tokenizer, ids, ended)

    answers = [
        dataclasses.replace(one, response=response(ids))
        for of_vector in written
        for of_strength in of_vector
        for one, ids in zip(conversations, of_strength, strict=True)
    ]
    shape = len(vectors_VD), len(asked.strengths), len(asked.questions)
    texts = np.array([one.text for one in answers], object).reshape(shape)
    arrays = {name: each.reshape(shape) for name, each in measures(reader, asked, answers).items()}
    return {"texts": texts.tolist()}, arrays


def measures(reader: Reader, asked: Asked, answers: list[Conversation]) -> dict[str, np.ndarray]:
    """Returns every measure of some answers, NaN where an answer has none: {name: [N]}."""
    model, nothing_N = reader.model(), np.full(len(answers), np.nan)
    tokens = [own_tokens(one.response) for one in answers]
    measured = dict.fromkeys(MEASURES, nothing_N) | {
        "echoes": np.array([echoes(one.text, set(asked.stems)) for one in answers], float),
        "repeats": np.array([repeated_share(ids) for ids in tokens]),
        "tokens": np.array([len(ids) for ids in tokens], float),
    }
    if asked.judge:
        pairs = [(one.question, one.text) for one in answers]
        judged = own_judgements(model, asked.judge, pairs, reader.options, reader.batch_tokens)
        measured |= {"judged": judged.score_N, "mass": judged.mass_N}
    some_N = np.array([len(ids) > 0 for ids in tokens])
    if some_N.any():
        read = [one for one, some in zip(answers, some_N, strict=True) if some]
        measured["log_likelihood"] = nothing_N.copy()
        measured["log_likelihood"][some_N] = log_likelihoods(
            model, read, reader.options, reader.batch_tokens
        )
    return measured


def own_tokens(response: Response) -> tuple[int, ...]:
    """Returns the tokens of an answer but for the one that ends it."""
    return response.ids[:-1] if response.ended == "stop" else response.ids


def sweep_of(case, at: HalfDirection, judge: Question | None) -> Sweep | None:
    """Returns the sweep of a finished unit; None where no node varies."""
    one = work(case, at, judge)
    result, asked = case.read(one), one.arguments[-1]
    if not result.values["texts"]:
        return None
    mean_VS = {name: known_mean(result.arrays[name]) for name in MEASURES}
    return Sweep(
        at.place, asked.strengths, asked.questions,
        None if judge is None else (judge.lowest, judge.highest),
        case.config.conversations.perplexity_factor, mean_VS,
        tuple(map(tuple, result.values["texts"][0])),
    )  # fmt: skip


def known_mean(values_VSQ: np.ndarray) -> np.ndarray:
    """Returns means over the questions that have a value, NaN where none has."""
    known_VSQ = ~np.isnan(values_VSQ)
    count_VS = known_VSQ.sum(2)
    sum_VS = np.where(known_VSQ, values_VSQ, 0).sum(2)
    return np.divide(sum_VS, count_VS, out=np.full(count_VS.shape, np.nan), where=count_VS > 0)


def read(level) -> dict:
    swept = {case.name: sweep_of(case, at, judge) for case, at, judge in asked(level)}
    return {"sweeps": {name: one for name, one in swept.items() if one is not None}}


def table_rows(part):
    """Yields every direction at every strength, with the means over the questions."""
    for name, one in part.sweeps.items():
        for v, perplexity_S in enumerate(one.perplexity_VS):
            direction = f"random {v}" if v else "half A"
            for s, strength in enumerate(one.strengths):
                values = (float(one.mean_VS[measure][v, s]) for measure in MEASURES)
                yield (
                    *place_cells(one.place), name, direction, strength, len(one.questions),
                    *values, float(perplexity_S[s]),
                )  # fmt: skip


def written_texts(options) -> int:
    """Returns how many answers a sweep writes, at most."""
    strengths = swept_strengths(options)
    return MOST * (1 + (len(strengths) - 1) * (1 + options.controls))


def count(counted) -> int:
    """Returns how many comparisons are swept."""
    options = counted.config.conversations
    if not options or not options.strengths or not counted.permuted or not counted.answers:
        return 0
    return sum(options.asks(number) for level in counted.levels for number in range(len(level)))


STAGE = Stage(
    "sweep",
    Phase.ASKED,
    works=lambda level: [work(*one) for one in asked(level)],
    count=count,
    read=read,
    tables={
        "sweep": Table(
            (
                *PLACE, "comparison", "direction", "strength", "questions", "own_judgement",
                "probability_of_numbers", "echoes", "log_likelihood", "repeated_3_grams",
                "tokens", "perplexity",
            ),
            table_rows,
        )
    },
)  # fmt: skip

"""Promoted: the tokens whose logits a direction raises and lowers, beside directions of chance."""

from dataclasses import dataclass, field

import numpy as np

from personascan.interventions.token_answers import CHANCE, mean_length, token_answers, vectors_of
from personascan.models.unembedding import (
    BEFORE_NORM,
    BEHIND_NORM,
    through_final_norm,
)
from personascan.places import Place
from personascan.sources.language.prompt_tokens import Prompt
from personascan.sources.language.source import Reader
from personascan.sources.language.statements import Statement
from personascan.sources.language.text_run import token_pieces
from personascan.study.comparisons import first_by_hash
from personascan.study.half_direction import (
    FINDER,
    HalfDirection,
    chosen_place,
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
    """Returns where a direction is found; None where what it writes is not known.

    Where the furthest place is not in the coordinates of the stream it is half A's, if that is.
    """
    if not case.config.tokens.promoted or not case.source.answers:
        return None
    for place in (case.furthest(), chosen_place(case)):
        if place and place.site in (*BEFORE_NORM, *BEHIND_NORM):
            return half_direction(case, place)
    return None


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
    contrasts_NT = labellings_of(find, options.draws, seed).contrasts_NT
    place_ND = rows.array()[find.rows]
    vectors = vectors_of(place_ND, find.positive_N, contrasts_NT, options.draws, seed)
    if vectors is None:
        return {"ends": {}}, {}
    model = reader.model()
    if place.site in BEFORE_NORM:
        length = mean_length(
            model, read, place.position, options=reader.options, batch_tokens=reader.batch_tokens
        )
        vectors = {kind: through_final_norm(model, v, length) for kind, v in vectors.items()}
    logits_V, z_V, arrays = token_answers(model, vectors)
    order, ends = np.argsort(-z_V, kind="stable"), {}
    for end, tokens in (("promoted", order), ("suppressed", order[::-1])):
        first = tokens[: options.promoted].tolist()
        pieces = token_pieces(model.tokenizer, Prompt(first, 0, len(first) - 1))
        ends[end] = [
            [token, piece, float(logits_V[token]), float(z_V[token])]
            for token, piece in zip(first, pieces, strict=True)
        ]
    return {"ends": ends}, arrays


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

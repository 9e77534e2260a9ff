"""Any text through a model: its tokens, and activations and logits of each of them."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from personascan.errors import InputError
from personascan.memory import refuse_too_much
from personascan.models.load import LanguageModel
from personascan.models.parameters import as_bits
from personascan.places import ONCE, Place
from personascan.sources.language.asked_places import asked_places
from personascan.sources.language.extract import plan_reading, read_activations
from personascan.sources.language.prompt_tokens import Prompt
from personascan.sources.language.statements import Statement, as_statements
from personascan.sources.language.templates import PromptOptions
from personascan.sources.store import Activations
from personascan.visible import visible

if TYPE_CHECKING:
    import pandas

SITES = ("resid_pre", "attn_out", "mlp_out", "resid_post", "final_norm", "head_out", "mlp_hidden")
LOGIT_TOKENS = 256  # of which logits are computed at a time: one shape for all texts


@dataclass(frozen=True, eq=False, repr=False)
class TextRun:
    """One text as a model has read it. `run["resid_post 7"]` is the activation of each token."""

    text: str
    tokens: list[str]  # [T]: pieces of text
    token_ids: list[int]  # [T]
    logits: np.ndarray | None  # [T, V] float32 of the token that follows each; None: not asked for
    activations: Activations = field(repr=False)  # of this text alone, at the position "all"

    def __getitem__(self, place: Place | str) -> np.ndarray:
        """Returns the activations of a place: [T, D]. Raises InputError if it was not kept."""
        return self.activations[place]

    def __len__(self) -> int:
        return len(self.tokens)

    def to_frame(self, place: Place | str | None = None) -> "pandas.DataFrame":
        """Returns a row for each token: the piece and its id, and the nodes of a place if named."""
        import pandas  # not before: it takes as long to import as a scan takes

        frame = pandas.DataFrame({"token": self.tokens, "token_id": self.token_ids})
        return frame if place is None else frame.join(pandas.DataFrame(np.asarray(self[place])))

    def __repr__(self) -> str:
        pieces = "|".join(map(visible, self.tokens[:12])) + ("..." if len(self) > 12 else "")
        logits = "" if self.logits is None else ", logits"
        return f"TextRun({len(self)} tokens at {len(self.activations)} places{logits}: {pieces})"

    def _repr_html_(self) -> str:
        return self.to_frame().T.to_html(max_cols=24)


@dataclass(frozen=True, eq=False, repr=False)
class TextRuns(Sequence[TextRun]):
    """Texts as a model has read them, in their order; `activations` has the tokens of all."""

    runs: tuple[TextRun, ...]
    activations: Activations = field(repr=False)

    def __getitem__(self, index: Any) -> Any:
        return self.runs[index]

    def __iter__(self) -> Iterator[TextRun]:
        return iter(self.runs)

    def __len__(self) -> int:
        return len(self.runs)

    def __repr__(self) -> str:
        return f"TextRuns({len(self)} texts: {', '.join(map(repr, self.runs[:3]))})"


def run_texts(
    model: LanguageModel, texts: str | Sequence[str | Statement], places, *, logits: bool,
    options: PromptOptions, batch_tokens: int | None, progress: bool,
) -> TextRuns:  # fmt: skip
    """Returns what `LanguageModel.run` does."""
    statements = as_statements([texts] if isinstance(texts, str) else texts)
    depths = {site: 1 if site in ONCE else model.config.layers for site in SITES}
    wanted = asked_places(places, depths, "all")
    if any(place.position != "all" for place in wanted):
        raise InputError("run keeps every token; name places without a position, or use extract")
    sites = list(dict.fromkeys(place.site for place in wanted))
    read = [*sites, *(["final_norm"] if logits and "final_norm" not in sites else [])]
    reading = plan_reading(model, statements, read, ("all",), options, batch_tokens)
    if logits:
        size = 4 * int(reading.offsets[-1]) * model.config.vocab_size
        refuse_too_much("the logits", size, "run fewer texts at a time")
    every = read_activations(model, reading, list(range(model.config.layers)), progress=progress)
    hidden_TD = every.stack("final_norm", "all")[0] if logits else None
    kept = selected(every, {s: [p.layer for p in wanted if p.site == s] for s in sites})
    runs = []
    for number, (statement, prompt) in enumerate(zip(statements, reading.prompts, strict=True)):
        span = slice(*map(int, every.offsets[number : number + 2]))
        runs.append(
            TextRun(
                statement.text,
                token_pieces(model.tokenizer, prompt),
                prompt.ids,
                None if hidden_TD is None else logits_of(model, hidden_TD[span]),
                one_text(kept, number, span),
            )
        )
    return TextRuns(tuple(runs), kept)


def selected(every: Activations, layers: dict[str, list[int]]) -> Activations:
    """Returns the layers that are asked for of each site."""
    names = {site: every.layer_names[site] for site in layers}
    return Activations(
        {(site, "all"): every.stack(site, "all")[of_site] for site, of_site in layers.items()},
        every.ids, {site: [names[site][n] for n in layers[site]] for site in layers},
        every.offsets, every.depth,
    )  # fmt: skip


def one_text(kept: Activations, number: int, span: slice) -> Activations:
    """Returns the activations of one text, as views."""
    stacks = {key: stack[:, span] for key, stack in kept.stacks.items()}
    offsets = np.array([0, span.stop - span.start])
    return Activations(stacks, [kept.ids[number]], kept.layer_names, offsets, kept.depth)


def token_pieces(tokenizer, prompt: Prompt) -> list[str]:
    """Returns the text of each token, with the space that it begins with."""
    names = tokenizer.convert_ids_to_tokens(prompt.ids)
    pieces = [tokenizer.decode([id_], clean_up_tokenization_spaces=False) for id_ in prompt.ids]
    return [
        f" {piece}" if name.startswith("\u2581") and not piece.startswith(" ") else piece
        for name, piece in zip(names, pieces, strict=True)
    ]


def logits_of(model: LanguageModel, hidden_TD: np.ndarray) -> np.ndarray:
    """Returns the logits behind every token of a text: [T, V] float32."""
    params = as_bits(model.params) if jax.default_backend() == "cpu" else model.params
    parts = []
    for first in range(0, len(hidden_TD), LOGIT_TOKENS):
        part_TD = hidden_TD[first : first + LOGIT_TOKENS]
        padded_TD = np.pad(part_TD, ((0, LOGIT_TOKENS - len(part_TD)), (0, 0)))
        logits_1TV = compiled_logits(params, padded_TD[None], decoder=model.decoder())
        parts.append(np.asarray(logits_1TV[0])[: len(part_TD)])
    return np.concatenate(parts)


@functools.partial(jax.jit, static_argnames="decoder")
def compiled_logits(params, hidden_BTD, *, decoder):
    return decoder.apply({"params": params}, hidden_BTD, method="logits")

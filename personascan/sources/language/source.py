"""Statements in a language model, as the source of a study's rows."""

import dataclasses
import functools
import json
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from personascan.errors import InputError
from personascan.hashes import RUN_AGAIN, text_sha256
from personascan.models.identity import Identity
from personascan.models.load import LanguageModel, load_model
from personascan.places import Place, named_place
from personascan.sharding import parse_mesh
from personascan.sources.base import Baseline, Terms
from personascan.sources.language.conversation_counts import about_conversations
from personascan.sources.language.conversation_texts import takes_system
from personascan.sources.language.conversations import Conversation
from personascan.sources.language.extract import extract_into
from personascan.sources.language.likelihood import log_likelihoods
from personascan.sources.language.prompts import applied_options
from personascan.sources.language.statements import Statement
from personascan.sources.language.templates import PromptOptions, choose_template

LENGTH = Place("length", 0, "", "statement")
LIKELIHOOD = Place("log_likelihood", 0, "", "statement")
# The input of the first block, averaged over a statement's own tokens: its words without order.
EMBEDDING = Place("resid_pre", 0, "mean_statement")
EMBEDDED_RESPONSE = Place("resid_pre", 0, "mean_response")
BASELINES = {  # detectors that need no activations
    "length": Baseline("characters", LENGTH, "mean"),
    "log-likelihood": Baseline("low log-likelihood", LIKELIHOOD, "low mean"),
}
NUMBERS = (LENGTH, LIKELIHOOD)  # places of one number a statement


def extra_places(places: list[Place], baselines, embedding=EMBEDDING) -> tuple[Place, ...]:
    """Returns the places that are read and not searched."""
    extra = tuple(baseline.place for baseline in baselines)
    return extra if embedding in places else (*extra, embedding)


@dataclass(frozen=True)
class Reader:
    """A model and how it reads statements: what a worker needs, without the statements."""

    name: str
    dtype: str
    mesh: str
    options: PromptOptions
    batch_tokens: int
    content: str  # hash of the model's files, as `content_sha256` gives it

    def model(self) -> LanguageModel:
        """Loads the model on first use. Raises InputError if its files have changed."""
        return load_cached(self.name, self.dtype, self.mesh, self.content)


@dataclass(frozen=True)
class LanguageSource:
    """The statements of personas, in the prompts of a model."""

    name: str  # as `load_model` takes it
    identified: Identity
    groups: dict[str, list[Statement | Conversation]] = field(repr=False)
    places: list[Place]
    options: PromptOptions
    batch_tokens: int
    dtype: str
    mesh: str

    baselines: tuple[Baseline, ...] = ()

    texts = True

    @property
    def about(self) -> str:
        """The sentences about conversations; of statements the report has its own."""
        if not self.converses:
            return ""
        rows = [row for rows in self.groups.values() for row in rows]
        return about_conversations(rows, self.takes_system)

    @functools.cached_property
    def takes_system(self) -> bool:
        """Whether the chat template shows the model a system message."""
        return takes_system(self.identified.tokenizer, self.options)

    @property
    def embedding(self) -> Place:
        """The place of the words without order."""
        return EMBEDDED_RESPONSE if self.converses else EMBEDDING

    @property
    def terms(self) -> Terms:
        """The words for rows: molecules if that is the topic of all, or else statements."""
        if self.converses:
            return Terms("responses", "responses under its instructions", "those under others")
        topics = {s.topic for statements in self.groups.values() for s in statements}
        rows = "molecules" if topics == {"molecules"} else "statements"
        return Terms(rows=rows, h1=f"its positive {rows}", h0="its negative ones")

    @property
    def converses(self) -> bool:
        """Whether rows are conversations."""
        return isinstance(next(iter(self.groups.values()))[0], Conversation)

    @property
    def extra(self) -> tuple[Place, ...]:
        """The places of baselines, with one number a statement, and the embedding's place."""
        return extra_places(self.places, self.baselines, self.embedding)

    @property
    def revision(self) -> str:
        """The commit of a hub source."""
        return self.identified.revision

    def hashes(self) -> dict[str, str]:
        """Returns the hashes of the model, its files and the template."""
        files = {f"model/{name}": sha for name, sha in self.identified.files.items()}
        return {"model": self.identified.sha256, **files, "chat template": self.template_sha256}

    @property
    def reader(self) -> Reader:
        """The model as a worker loads it, to ask it questions."""
        content = content_sha256(self.identified.files)
        return Reader(self.name, self.dtype, self.mesh, self.options, self.batch_tokens, content)

    @property
    def answers(self) -> bool:
        """Whether the model predicts a next token, and so can answer."""
        return self.identified.config.causal and self.identified.config.has_head

    def named(self, text: str) -> Place:
        """Returns the place that a text names. Raises InputError if there is none."""
        return named_place(text, self.places, self.layers)

    @property
    def role(self) -> str:
        """The role as it is applied: none if there is no chat template."""
        return applied_options(self.identified.tokenizer, self.options).role

    @property
    def layers(self) -> int:
        """The number of blocks."""
        return self.identified.config.layers

    @property
    def head_width(self) -> int:
        """Columns of a head at the site head_out."""
        return self.identified.config.head_dim

    def shape(self, group: str, place: Place) -> tuple[int, int]:
        """Returns the numbers of rows and nodes: (N, D)."""
        if place in NUMBERS:
            return len(self.groups[group]), 1
        return len(self.groups[group]), self.identified.config.site_shape(place.site)[1]

    def identity(self, group: str, place: Place) -> dict[str, Any]:
        """Returns the inputs that decide the rows of a group at a place, as JSON holds them."""
        return self.shared_identity | {
            "statements": self.statements_sha256[group],
            "place": [place.site, place.layer, place.position],
        }

    @functools.cached_property
    def shared_identity(self) -> dict[str, Any]:
        return {
            "model": self.identified.sha256,
            "files": self.identified.files,
            "dtype": self.dtype,
            "batch_tokens": self.batch_tokens,
            "prompt": dataclasses.asdict(applied_options(self.identified.tokenizer, self.options)),
            "template": self.template_sha256,
        }

    @functools.cached_property
    def template_sha256(self) -> str:
        """The hash of the chat template that is applied; that of "" if there is none."""
        tokenizer = self.identified.tokenizer
        options = applied_options(tokenizer, self.options)
        if options.role == "none":
            return text_sha256("")
        return text_sha256(choose_template(tokenizer.chat_template, options.template))

    @functools.cached_property
    def statements_sha256(self) -> dict[str, str]:
        return {
            group: text_sha256(json.dumps([read_of(s) for s in statements]))
            for group, statements in self.groups.items()
        }

    def fill(self, group: str, arrays: dict[Place, np.ndarray], progress) -> None:
        """Runs the group's statements through the model, which is loaded on first use.

        Raises InputError if the model's files are not those that `identity` names.
        """
        statements = self.groups[group]
        inner = {place: array for place, array in arrays.items() if place not in NUMBERS}
        model = self.reader.model()
        if inner:
            extract_into(
                model, statements, inner, options=self.options, batch_tokens=self.batch_tokens,
                progress=progress,
            )  # fmt: skip
        if LENGTH in arrays:
            arrays[LENGTH][:] = np.array([[len(s.text)] for s in statements], np.float32)
        if LIKELIHOOD in arrays:
            likelihood_N = log_likelihoods(model, statements, self.options, self.batch_tokens)
            arrays[LIKELIHOOD][:] = likelihood_N[:, None].astype(np.float32)


def read_of(row: Statement | Conversation) -> tuple:
    """Returns what of a row a model reads, as JSON holds it."""
    if not isinstance(row, Conversation):
        return row.id, row.text
    messages = [(message.role, message.content) for message in row.messages]
    return row.id, messages, None if row.response is None else row.response.ids


@functools.lru_cache(maxsize=1)
def load_cached(name: str, dtype: str, mesh: str, content: str) -> LanguageModel:
    """Loads a model, one at a time being held. Raises InputError if its content is another."""
    data, _, split = mesh.partition("x")
    if split == "1" and data.isdecimal() and int(data) > jax.device_count():
        mesh = ""  # batches alone are shared out: fewer devices give the same bits
    model = load_model(name, dtype=dtype, mesh=parse_mesh(mesh))
    if content_sha256(model.files) != content:
        raise InputError(
            f"the files of {name} have changed since they were first read; {RUN_AGAIN}"
        )
    return model


def content_sha256(files: dict[str, str]) -> str:
    """Returns one hash of the {name: hash} of all files of a model."""
    return text_sha256(json.dumps(files, sort_keys=True))

"""What models write a second, beside Transformers on torch: the same prompts, all tokens written.

Needs torch (the `verify` extra). Both write the likeliest tokens of one batch, in float32 and with
a cache; torch pads on the left. Runs of both sides alternate, so that a busy machine slows both.
"""

import statistics
from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.extraction import seconds
from personascan.interventions.continuations import text_prompts
from personascan.models.load import LanguageModel, load_model
from personascan.models.verify import torch_model
from personascan.sources.language import generate
from personascan.sources.language.generate import Writing, write_tokens
from personascan.sources.language.prompt_tokens import Prompt

ROWS, NEW_TOKENS = 32, 64
LENGTHS = (36, 44)  # of prompts of random tokens, which share nothing
INSTRUCTED, INSTRUCTION = 20, 60  # rows behind one instruction, and about so many tokens of it
WORDS = "You are calm and friendly, and you answer every question in two short sentences. "
NEVER = 10**9


def measure_generation(source: str, repeats: int) -> Iterator[dict]:
    """A line of both sides; then one of prompts that share an instruction, read once and apart."""
    model = load_model(source)
    theirs = torch_model(model.path)
    prompts = random_prompts(model)
    taken = {"ours": [], "torch": []}
    works = {
        "ours": lambda: written(model, prompts),
        "torch": lambda: torch_written(theirs, prompts),
    }
    same = [a == b for a, b in zip(works["ours"](), works["torch"](), strict=True)]
    for _ in range(repeats):
        for name, work in works.items():
            taken[name].append(seconds(work))
    ratios = [b / a for a, b in zip(*taken.values(), strict=True)]
    yield (
        {"generation": source, "rows": ROWS, "new_tokens": NEW_TOKENS, "same_texts": sum(same)}
        | {f"{name}_tokens_per_second": rate(found, ROWS) for name, found in taken.items()}
        | {"ratio": round(statistics.median(ratios), 2), "of": repeats}
    )
    yield measure_shared(model, repeats)


def measure_shared(model: LanguageModel, repeats: int) -> dict:
    """Questions behind one instruction: its tokens read once, and by each row for itself."""
    prompts = instructed_prompts(model)
    taken = {"shared": [], "apart": []}
    usual, found = generate.LEAST_SHARED, {}
    try:
        for turn in range(repeats + 1):
            for name, times in taken.items():
                generate.LEAST_SHARED = 1 if name == "shared" else NEVER

                def work(name=name):
                    found[name] = written(model, prompts)

                second = seconds(work)
                if turn:  # the first one compiles
                    times.append(second)
    finally:
        generate.LEAST_SHARED = usual
    return {
        "generation": "one instruction", "rows": len(prompts),
        "tokens": sum(len(p.ids) for p in prompts), "same_texts": found["shared"] == found["apart"],
        **{f"{name}_seconds": round(statistics.median(t), 2) for name, t in taken.items()},
    }  # fmt: skip


def random_prompts(model: LanguageModel) -> list[Prompt]:
    rng = np.random.default_rng(0)
    vocabulary = min(model.config.vocab_size, 40_000)
    return [
        Prompt(rng.integers(3, vocabulary, length).tolist(), 0, length - 1)
        for length in rng.integers(*LENGTHS, ROWS, endpoint=True)
    ]


def instructed_prompts(model: LanguageModel) -> list[Prompt]:
    words = WORDS
    while len(model.tokenizer(words)["input_ids"]) < INSTRUCTION:
        words += WORDS
    return text_prompts(
        model, [f"{words}What are {n} things to do in a town?" for n in range(2, 2 + INSTRUCTED)],
        None,
    )  # fmt: skip


def written(model: LanguageModel, prompts: list[Prompt]) -> list[list[int]]:
    return write_tokens(model, prompts, Writing(NEW_TOKENS), stop=())


def torch_written(theirs, prompts: list[Prompt]) -> list[list[int]]:
    longest = max(len(p.ids) for p in prompts)
    tokens = torch.zeros(len(prompts), longest, dtype=torch.long)
    real = torch.zeros_like(tokens)
    for row, prompt in enumerate(prompts):
        tokens[row, longest - len(prompt.ids) :] = torch.tensor(prompt.ids)
        real[row, longest - len(prompt.ids) :] = 1
    with torch.no_grad():
        found = theirs.generate(
            tokens, attention_mask=real, max_new_tokens=NEW_TOKENS, min_new_tokens=NEW_TOKENS,
            do_sample=False, eos_token_id=None, pad_token_id=0, use_cache=True,
        )  # fmt: skip
    return found[:, longest:].tolist()


def rate(taken: list[float], rows: int) -> int:
    return round(rows * NEW_TOKENS / statistics.median(taken))

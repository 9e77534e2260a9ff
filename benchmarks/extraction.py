"""Extraction beside Transformers on torch: the same statements, batches and cores, all layers kept.

Needs torch (the `verify` extra). Torch runs its blocks without lm_head, as ours do, and keeps the
last token of every hidden state. Runs of both sides alternate, so that a busy machine slows both.
"""

import pathlib
import statistics
import time
from collections.abc import Callable, Iterator

import jax
import torch

from personascan.models.dtypes import parameter_dtype
from personascan.models.load import LanguageModel, load_model
from personascan.models.verify import torch_model
from personascan.sources.language.batches import Batch, plan_batches
from personascan.sources.language.extract import BATCH_TOKENS, extract
from personascan.sources.language.forward import compiled_forward, run
from personascan.sources.language.prompts import tokenize
from personascan.sources.language.statements import Statement

SITES = ("resid_post", "final_norm")


def seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def planned(model: LanguageModel, statements: list[Statement]) -> tuple[list, list[Batch]]:
    prompts = tokenize(model.tokenizer, statements, "system", model.config.max_positions)
    return prompts, plan_batches(prompts, BATCH_TOKENS, pad=0)


def torch_batches(theirs, batches: list[Batch]) -> None:
    """Every hidden state's last real token, as float32 arrays."""
    with torch.no_grad():
        for batch in batches:
            tokens = torch.tensor(batch.tokens_BT, dtype=torch.long)
            real = torch.arange(tokens.shape[1])[None] < torch.tensor(batch.lengths_B)[:, None]
            out = theirs.base_model(
                tokens, attention_mask=real.long(), output_hidden_states=True, use_cache=False
            )
            rows, last = torch.arange(len(tokens)), torch.tensor(batch.lengths_B).long() - 1
            for state in out.hidden_states[1:]:
                state[rows, last].float().numpy()


def measure_extraction(
    source: str, statements: list[Statement], dtypes: list[str], repeats: int
) -> Iterator[dict]:
    """One line for each dtype: tokens/s of both sides, whole and of the forward passes alone."""
    for dtype in dtypes:
        model = load_model(source, dtype=dtype)
        theirs = torch_model(model.path, parameter_dtype(dtype))
        prompts, batches = planned(model, statements)
        tokens = sum(len(p.ids) for p in prompts)

        def ours_whole(model=model):
            """As a script's second run: traced anew, compilations kept on disk."""
            jax.clear_caches()
            compiled_forward.cache_clear()
            extract(model, statements, sites=SITES, progress=False)

        def ours_first(ours_whole=ours_whole):
            """Compiled anew as well."""
            jax.config.update("jax_enable_compilation_cache", False)
            ours_whole()
            jax.config.update("jax_enable_compilation_cache", True)

        def ours_forward(model=model, batches=batches, prompts=prompts):
            list(run(model, batches, prompts, SITES, ("last",)))

        def torch_whole(model=model, theirs=theirs):
            torch_batches(theirs, planned(model, statements)[1])

        def torch_forward(theirs=theirs, batches=batches):
            torch_batches(theirs, batches)

        taken = {w: [] for w in (ours_forward, torch_forward, torch_whole, ours_first, ours_whole)}
        torch_forward()
        ours_whole()  # leaves its compilations to the next one, on disk too
        for _ in range(repeats):
            for work, found in taken.items():
                found.append(seconds(work))
        median = {work.__name__: statistics.median(found) for work, found in taken.items()}
        yield (
            {"extraction": dtype, "statements": len(statements), "tokens": tokens}
            | {"padding": round(sum(b.tokens_BT.size for b in batches) / tokens - 1, 3)}
            | {f"{name}_tokens_per_second": round(tokens / s) for name, s in median.items()}
            | {"ratio_forward": round(median["torch_forward"] / median["ours_forward"], 2)}
            | {"ratio_whole": round(median["torch_whole"] / median["ours_whole"], 2)}
            | {"ratio_first": round(median["torch_whole"] / median["ours_first"], 2)}
        )


def measure_one_at_a_time(source: str, statements: list[Statement], count: int) -> dict:
    """Torch with lm_head, a statement at a time, as the published code runs it."""
    model = load_model(source)
    theirs = torch_model(model.path)
    some = statements[:: max(1, len(statements) // count)]
    prompts = tokenize(model.tokenizer, some, "system", model.config.max_positions)

    def work():
        with torch.no_grad():
            for prompt in prompts:
                theirs(torch.tensor([prompt.ids]), output_hidden_states=True)

    tokens = sum(len(p.ids) for p in prompts)
    return {
        "extraction": "torch, one at a time",
        "tokens_per_second": round(tokens / seconds(work)),
    }


def measure_start(source: str, dtype: str, repeats: int) -> dict:
    """A model ready to run, its converted parameters kept and everything imported."""
    load_model(source, dtype=dtype)
    taken = [round(seconds(lambda: load_model(source, dtype=dtype)), 2) for _ in range(repeats)]
    return {"start": dtype, "seconds": taken}


def measure_memory(source: str, statements: list[Statement], dtype: str) -> dict:
    """The process's peak from before loading to the end, over what it held before (Linux)."""
    before = resident("VmRSS")
    pathlib.Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    model = load_model(source, dtype=dtype)
    loaded = resident("VmHWM") - before
    found = extract(model, statements, sites=SITES, progress=False)
    parameters = sum(p.nbytes for p in jax.tree.leaves(model.params))
    largest = max(b.tokens_BT.size for b in planned(model, statements)[1])
    batch = 4 * model.config.layers * largest * model.config.width
    return {
        "memory": dtype,
        "parameters_MB": round(parameters / 1e6),
        "batch_activations_MB": round(batch / 1e6),  # every layer at every token of a batch
        "result_MB": round(sum(a.nbytes for a in found.stacks.values()) / 1e6),
        "peak_loading_MB": round(loaded / 1e6),
        "peak_MB": round((resident("VmHWM") - before) / 1e6),
        "bound_MB": round((parameters + 3 * batch) / 1e6),
    }


def resident(field: str) -> int:
    """Bytes of this process in memory, from the kernel."""
    for line in pathlib.Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return 1024 * int(line.split()[1])
    raise OSError(f"the kernel does not say {field}")

"""Activations of any Transformers model on torch, for models that have no Flax port."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from personascan.errors import InputError
from personascan.places import ONCE, Place
from personascan.sources.language.asked_places import asked_places
from personascan.sources.language.batches import Batch, plan_batches
from personascan.sources.language.conversations import Conversation, as_rows
from personascan.sources.language.extract import layer_names, refuse_non_finite, separate_positions
from personascan.sources.language.positions import check_numbers, positions_and_weights
from personascan.sources.language.prompts import prompts_of
from personascan.sources.language.statements import Statement
from personascan.sources.language.templates import PromptOptions
from personascan.sources.store import Activations

# What surrounds a block is the same in every architecture; what is inside one is not.
SITES = ("resid_pre", "resid_post", "final_norm")
NO_LIMIT = 2**31  # where a configuration does not bound the length of a text


def read_torch(
    model: Any,
    tokenizer: Any,
    texts: Sequence[str | Statement | Conversation],
    places: Sequence[Place | str] = ("resid_post",),
    *,
    options: PromptOptions | None = None,
    blocks: str = "",
    batch_tokens: int = 4096,
    progress: bool = True,
) -> Activations:
    """Returns activations of a Transformers model on torch, by hooks around its blocks.

    Prompts, positions and places are those of `extract`: for models that `load_model` refuses.

    Args:
      model: a decoder or encoder of Transformers, on any device and of any dtype.
      tokenizer: its tokenizer, a fast one.
      texts: strings, statements, or conversations.
      places: `Place` records or texts: "resid_post" (every layer), "resid_post 7",
        "resid_post 50%", with the position behind it ("resid_post 7 mean"), else "last". The sites
        are resid_pre, resid_post and final_norm.
      options: how a text becomes a prompt; None: as of `extract`.
      blocks: the name of the module that lists the blocks, such as "model.layers"; "": the one list
        of as many modules as the configuration has layers.
      batch_tokens: padded tokens of a batch.
      progress: show a bar on standard error.

    Returns:
      Activations: {Place: [N, D] float32}.

    Raises:
      InputError: no texts, an unknown place or another site, no list of blocks or several, an
        encoder-decoder, and what `extract` refuses of prompts and of activations.
    """
    from tqdm import tqdm

    name, modules = block_list(model, blocks)
    depths = dict.fromkeys(SITES, len(modules)) | {"final_norm": 1}
    wanted = asked_places(places, depths)
    statements, positions = as_rows(texts), tuple(dict.fromkeys(p.position for p in wanted))
    embedding = model.get_input_embeddings()
    prompts = prompts_of(
        tokenizer, statements, options or PromptOptions(),
        getattr(text_config(model), "max_position_embeddings", None) or NO_LIMIT,
        embedding.num_embeddings,
    )  # fmt: skip
    ids = [s.id for s in statements]
    check_numbers(positions, prompts, ids)
    offsets = np.concatenate([[0], np.cumsum([len(p.ids) for p in prompts])])
    numbers = {s: sorted({p.layer for p in wanted if p.site == s}) for s in SITES}
    numbers = {site: layers for site, layers in numbers.items() if layers}
    sizes = {p: int(offsets[-1]) if p == "all" else len(ids) for p in positions}
    stack, width = model.get_submodule(name.rpartition(".")[0]), text_config(model).hidden_size
    hooks, stacks = Hooks(modules, stack, numbers, width), {}
    with tqdm(total=len(ids), desc="activations", unit=" texts", disable=not progress) as bar:
        for batch in plan_batches(prompts, batch_tokens, pad=tokenizer.pad_token_id or 0):
            kept_inputs = positions_and_weights(batch, prompts, positions)
            keep = functools.partial(kept_tokens, *kept_inputs, every="all" in positions)
            of_sites = hooks.run(model, batch, embedding.weight.device, keep)
            for site, kept_LBPD in of_sites.items():
                parts = separate_positions(kept_LBPD, batch, positions, offsets)
                for position, rows, part_LND in parts:
                    of_batch = [ids[row] for row in batch.rows]
                    refuse_non_finite(part_LND, site, of_batch, numbers[site])
                    if Place(site, numbers[site][0], position) in wanted:
                        shape = (len(part_LND), sizes[position], part_LND.shape[2])
                        array_LND = np.empty(shape, np.float32)
                        stacks.setdefault((site, position), array_LND)[:, rows] = part_LND
            bar.update(batch.real)
    return Activations(stacks, ids, layer_names(numbers), offsets, len(modules))


def text_config(model):
    """Returns the configuration of the text model. Raises InputError for an encoder-decoder."""
    config = model.config.get_text_config()
    if getattr(config, "is_encoder_decoder", False):
        raise InputError("read_torch reads decoders and encoders; this model is both in one")
    return config


def block_list(model, blocks: str) -> tuple[str, Any]:
    """Returns the name and the list of a model's blocks. Raises InputError if that is not clear."""
    from torch.nn import ModuleList

    depth = text_config(model).num_hidden_layers
    lists = {n: m for n, m in model.named_modules() if isinstance(m, ModuleList)}
    if blocks:
        if blocks not in lists:
            raise InputError(f"blocks = {blocks!r} is no list of modules; there are {names(lists)}")
        return blocks, lists[blocks]
    of_depth = {n: m for n, m in lists.items() if len(m) == depth}
    # A list inside a block, such as its experts, is none of blocks.
    outer = {n: m for n, m in of_depth.items() if not any(n.startswith(f"{o}.") for o in of_depth)}
    if len(outer) != 1:
        raise InputError(
            f"this model has {len(outer)} lists of {depth} modules ({names(outer)}); name the one "
            f'of its blocks, such as blocks="model.layers"; all lists: {names(lists)}'
        )
    return next(iter(outer.items()))


def names(lists) -> str:
    return ", ".join(lists) or "none"


class Hooks:
    """What a pass keeps of some sites and layers, by hooks that are gone when it ends."""

    def __init__(self, modules, stack, numbers: dict[str, list[int]], width: int):
        self.modules, self.stack, self.numbers, self.width = modules, stack, numbers, width
        self.states: dict[str, dict[int, np.ndarray]] = {}
        self.keep: Callable[[np.ndarray], np.ndarray]

    def run(self, model, batch: Batch, device, keep) -> dict[str, np.ndarray]:
        """Returns what `keep` keeps of a batch's states [B, T, D], {site: [L, B, P, D] float32}."""
        import torch

        self.keep, self.states = keep, {site: {} for site in self.numbers}
        tokens_BT = torch.tensor(batch.tokens_BT, dtype=torch.long, device=device)
        lengths_B1 = torch.tensor(batch.lengths_B, device=device)[:, None]
        real_BT = torch.arange(tokens_BT.shape[1], device=device)[None] < lengths_B1
        # Without its head: logits of all tokens would take more memory than all that is kept.
        inner = model.base_model if hasattr(model, "base_model_prefix") else model
        with self.hooked(), torch.inference_mode(), evaluating(model):
            inner(input_ids=tokens_BT, attention_mask=real_BT.long())
        return {
            site: np.stack([self.states[site][layer] for layer in layers])
            for site, layers in self.numbers.items()
        }

    @contextlib.contextmanager
    def hooked(self) -> Iterator[None]:
        """Attaches the hooks, and takes them off at the end."""
        with contextlib.ExitStack() as handles:
            for layer in self.numbers.get("resid_pre", ()):
                hook = self.keeper("resid_pre", layer)
                handle = self.modules[layer].register_forward_pre_hook(
                    lambda _, args, kwargs, hook=hook: hook(args or kwargs), with_kwargs=True
                )
                handles.callback(handle.remove)
            after = [("resid_post", n, self.modules[n]) for n in self.numbers.get("resid_post", ())]
            after += [(site, 0, self.stack) for site in ONCE if site in self.numbers]
            for site, layer, module in after:
                hook = self.keeper(site, layer)
                handle = module.register_forward_hook(lambda _, args, out, hook=hook: hook(out))
                handles.callback(handle.remove)
            yield

    def keeper(self, site: str, layer: int):
        """Returns a hook that keeps tokens of a module's first input or output on the host."""

        def hook(value) -> None:
            if isinstance(value, dict) and "last_hidden_state" not in value:
                value = value["hidden_states"]
            state = value if hasattr(value, "detach") else value[0]
            if site in ONCE and state.shape[-1] != self.width:
                raise InputError(
                    f"{site}: this model projects its last state from {self.width} nodes to "
                    f"{state.shape[-1]}; use resid_post of the last layer"
                )
            self.states[site][layer] = self.keep(state.detach().float().cpu().numpy())

        return hook


def kept_tokens(positions_BP, weights_BQT, state_BTD, every: bool) -> np.ndarray:
    """Returns what is kept of a state, in the order of `separate_positions`: [B, P, D]."""
    parts = [state_BTD] if every else []
    parts.append(np.take_along_axis(state_BTD, positions_BP[:, :, None], axis=1))
    if weights_BQT is not None:
        parts.append(np.matmul(weights_BQT, state_BTD))
    return np.concatenate(parts, axis=1)


@contextlib.contextmanager
def evaluating(model) -> Iterator[None]:
    """Runs without dropout, and leaves the model in the mode that it was in."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)

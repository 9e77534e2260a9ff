"""Batches through a model, one on each device of the mesh's `data` axis at a time."""

import functools
import itertools

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from personascan.models.decoder import Decoder
from personascan.models.load import LanguageModel
from personascan.models.parameters import as_bits
from personascan.models.tap import Kept
from personascan.sharding import batch_sharding, put
from personascan.sources.language.batches import Batch
from personascan.sources.language.positions import positions_and_weights


def run(model: LanguageModel, batches: list[Batch], prompts, sites, positions):
    """Yields (batch, {site: activations [L, B, P, D]}) of every batch; all tokens first if wanted.

    A group is started before the previous one is waited for, so that compiling the next shape and
    copying the last results overlap with computation.
    """
    params = as_bits(model.params) if jax.default_backend() == "cpu" else model.params
    started = None
    for group in groups(batches, 1 if model.mesh is None else model.mesh.shape["data"]):
        following = group, start(model, params, group, prompts, sites, positions)
        if started:
            yield from fetch_results(*started)
        started = following
    yield from fetch_results(*started)


def groups(batches: list[Batch], size: int) -> list[list[Batch]]:
    """Groups batches of one shape that run at the same time, at most `size` of them."""
    return [
        same[first : first + size]
        for same in (list(g) for _, g in itertools.groupby(batches, lambda b: b.tokens_BT.shape))
        for first in range(0, len(same), size)
    ]


def fetch_results(group: list[Batch], kept: dict):
    """Yields a started group's results on the host, batch by batch, without the padding rows."""
    kept = {site: np.asarray(a, np.float32) for site, a in kept.items()}
    for number, batch in enumerate(group):
        first = number * len(batch.tokens_BT)
        yield batch, {site: a[:, first : first + batch.real] for site, a in kept.items()}


def start(model: LanguageModel, params, group: list[Batch], prompts, sites, positions) -> dict:
    """Starts a group on the model's devices, and returns its pending results."""
    inputs = [inputs_of(batch, prompts, positions) for batch in group]
    if model.mesh is not None:
        # The last batch is repeated, so that every device has one.
        inputs += inputs[-1:] * (model.mesh.shape["data"] - len(group))
        inputs = jax.tree.map(lambda *of_each: np.concatenate(of_each), *inputs)
        inputs = jax.tree.map(lambda a: put(a, batch_sharding(model.mesh)), inputs)
    else:
        (inputs,) = inputs
    compiled = compiled_forward(jax.default_backend(), model.mesh)
    return compiled(params, *inputs, decoder=model.decoder(), sites=tuple(sites))


def inputs_of(batch: Batch, prompts, positions) -> tuple:
    """Returns a batch's tokens, the positions that are kept, and lengths."""
    positions_BP, weights_BQT = positions_and_weights(batch, prompts, positions)
    rows, tokens = batch.tokens_BT.shape
    if "all" in positions:
        every_BT = np.broadcast_to(np.arange(tokens, dtype=np.int32), (rows, tokens))
        positions_BP = np.concatenate([every_BT, positions_BP], axis=1)
    return batch.tokens_BT, Kept(positions_BP, weights_BQT), batch.lengths_B


@functools.cache
def compiled_forward(backend: str, mesh=None):
    """Returns compiled `forward`; vectors of 512 bits are 3% faster on a CPU.

    If processes share the mesh, each gets all of the results.
    """
    options = {"xla_cpu_prefer_vector_width": 512} if backend == "cpu" else None
    shared = mesh is not None and not mesh.is_multi_process
    whole = None if mesh is None or shared else NamedSharding(mesh, PartitionSpec())
    return jax.jit(
        forward if mesh is None else functools.partial(forward_each, mesh=mesh),
        static_argnames=("decoder", "sites"),
        out_shardings=whole,
        compiler_options=options,
    )


def forward_each(params, tokens_BT, kept: Kept, lengths_B, *, decoder: Decoder, sites, mesh):
    """Runs `forward` on the rows of each device of `data` by itself.

    This gives the same bits as one device alone. Splitting the rows of a batch would not, since
    products of few rows are summed in another order.
    """
    each = jax.shard_map(
        functools.partial(forward, decoder=decoder, sites=sites),
        mesh=mesh,
        in_specs=(PartitionSpec(), *[PartitionSpec("data")] * 3),
        out_specs=PartitionSpec(None, "data"),
        axis_names={"data"},
        check_vma=False,  # `model` is left to XLA, as without this map
    )
    return each(params, tokens_BT, kept, lengths_B)


def forward(params, tokens_BT, kept: Kept, lengths_B, *, decoder: Decoder, sites):
    """Returns the activations that each site keeps of a batch: {site: [L, B, P, D]}."""
    variables = {"params": params}
    _, sown = decoder.apply(variables, tokens_BT, kept, lengths_B=lengths_B, mutable=sites)
    return {site: sown_layers(sown, site) for site in sites}


def sown_layers(sown: dict, site: str):
    """Returns the activations that a site has sown: [L, B, P, D]."""
    leaves = jax.tree.leaves(sown.get(site, {}))
    if len(leaves) != 1:
        raise RuntimeError(f"site {site} has sown {len(leaves)} arrays instead of one")
    return leaves[0][None] if site == "final_norm" else leaves[0]

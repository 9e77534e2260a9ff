"""Statements through a model: the activations of every layer in one pass."""

import jax
import numpy as np
from tqdm import tqdm

from personascan.activations.store import Activations
from personascan.errors import InputError
from personascan.models.decoder import SITES, Kept
from personascan.models.load import LanguageModel
from personascan.prompts import plan_batches, tokenize
from personascan.statements import Statement

BATCH_TOKENS = 2048
POSITIONS = ("last",)


def extract(
    model: LanguageModel,
    statements: list[Statement],
    *,
    sites=("resid_post",),
    positions=("last",),
    role: str = "system",
    batch_tokens: int | None = None,
    progress: bool = True,
) -> Activations:
    """Activations of every layer for every statement.

    Each statement is one chat message put through the tokenizer's template, with the model's turn
    opened; "last" keeps the last token of that string (arXiv 2505.24539, section 3).

    Args:
      model: from `load_model`.
      statements: from `load_statements`.
      sites: any of resid_pre, attn_out, mlp_out, resid_post (one for each block), final_norm.
      positions: ("last",).
      role: role of the message: "system", "user" or what the template knows.
      batch_tokens: padded tokens a batch; None: 2048.
      progress: show a bar with statements/s on standard error.

    Returns:
      Activations: arrays[site, position] are [L, N, D] float32, in the order of `statements`.

    Raises:
      InputError: no statements, an unknown site or position, a template that refuses or drops the
        message (names --config.role=user), a statement too long, NaN or Inf in an activation.
    """
    statements = list(statements)
    check_request(statements, sites, positions)
    if batch_tokens is not None and batch_tokens < 1:
        raise InputError(f"batch_tokens = {batch_tokens}; use at least 1")
    ids = tokenize(model.tokenizer, statements, role, model.config.max_positions)
    batches = plan_batches(ids, batch_tokens or BATCH_TOKENS, pad=0)
    decoder = model.decoder()
    variables = {"params": model.params}

    @jax.jit
    def forward(variables, tokens_BT, kept_BP, lengths_B):
        _, sown = decoder.apply(
            variables, tokens_BT, Kept(kept_BP), lengths_B=lengths_B, mutable=tuple(sites)
        )
        return {site: sown_layers(sown, site) for site in sites}

    arrays = {}
    with tqdm(
        total=len(statements), desc="activations", unit=" statements", disable=not progress
    ) as bar:
        for batch in batches:
            kept = forward(variables, batch.tokens_BT, batch.last_B[:, None], batch.last_B + 1)
            for site, kept_LBPD in kept.items():
                rows_LND = np.asarray(kept_LBPD[:, : len(batch.statements), 0], np.float32)
                layers, _, width = rows_LND.shape
                target = arrays.setdefault(
                    (site, "last"), np.empty((layers, len(statements), width), np.float32)
                )
                target[:, batch.statements] = rows_LND
            bar.update(len(batch.statements))
    names = {
        site: [site] if site == "final_norm" else [f"{site} {i}" for i in range(len(a))]
        for (site, _), a in arrays.items()
    }
    for (site, _), array_LND in arrays.items():
        refuse_non_finite(array_LND, names[site], statements)
    return Activations(arrays, [s.id for s in statements], names)


def check_request(statements, sites, positions) -> None:
    """Refuse what cannot be extracted, before anything is run."""
    if not statements:
        raise InputError("there are no statements to extract activations for")
    for kind, asked, known in (("site", sites, SITES), ("position", positions, POSITIONS)):
        if not isinstance(asked, list | tuple) or not asked:
            raise InputError(f"{kind}s must be a sequence of names, got {asked!r}")
        for name in asked:
            if name not in known:
                raise InputError(f"{kind} {name!r} is unknown; known: {', '.join(known)}")


def sown_layers(sown: dict, site: str):
    """What a site has sown, as [L, B, P, D]."""
    leaves = jax.tree.leaves(sown.get(site, {}))
    if len(leaves) != 1:
        raise RuntimeError(f"site {site} has sown {len(leaves)} arrays instead of one")
    return leaves[0][None] if site == "final_norm" else leaves[0]


def refuse_non_finite(array_LND, layer_names, statements) -> None:
    if np.isfinite(array_LND).all():
        return
    layer, row, node = np.argwhere(~np.isfinite(array_LND))[0]
    raise InputError(
        f"the activation at {layer_names[layer]}, node {node} is {array_LND[layer, row, node]} for "
        f"statement {statements[row].id}; use dtype float32 or another checkpoint"
    )

"""tap(): where activations leave the decoder, and where they are edited before that."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Kept(NamedTuple):
    """The activations of a row that leave: P positions, then Q weighted means over its tokens."""

    positions_BP: jax.Array  # int32
    weights_BQT: jax.Array | None = None  # float32


class Edit(NamedTuple):
    """Changes of one site: x * scale + shift + (x . read) write, node by node.

    K layers are edited, each by E edits. Ablation is scale 0 and a shift to the new values;
    steering is a shift alone; a unit direction u is projected out by read u and write -u. An edit
    with a bound above -inf writes max(0, x . read - bound) instead of x . read: a cap.
    """

    layer_K: jax.Array  # int32
    scale_KED: jax.Array
    shift_KED: jax.Array
    read_KED: jax.Array | None = None
    write_KED: jax.Array | None = None
    bound_KE: jax.Array | None = None  # -inf: none


class Edits(NamedTuple):
    """The edits of a batch: for each row one of the E edits, at some of its tokens."""

    sites: dict[str, Edit]
    edit_B: jax.Array  # int32, into E
    tokens_BT: jax.Array  # bool


def slots(edit: Edit, layers: int):
    """Returns each layer's index among the K edited layers, -1 if it is none: [L] int32."""
    numbers = jnp.arange(edit.scale_KED.shape[0], dtype=jnp.int32)
    return jnp.full(layers, -1, jnp.int32).at[edit.layer_K].set(numbers)


def apply_edit(x_BTD, edit: Edit, slot, edits: Edits):
    """Returns one layer's edited activations; unchanged values keep their bits."""

    def of_rows(array_KED):
        return array_KED[jnp.maximum(slot, 0)].astype(jnp.float32)[edits.edit_B][:, None]

    scale, shift = of_rows(edit.scale_KED), of_rows(edit.shift_KED)
    changed = (scale != 1) | (shift != 0)
    y_BTD = x_BTD * scale + shift
    if edit.read_KED is not None:
        read, write = of_rows(edit.read_KED), of_rows(edit.write_KED)
        amount_BT1 = jnp.sum(x_BTD * read, axis=-1, keepdims=True)
        written = write != 0
        if edit.bound_KE is not None:
            bound = of_rows(edit.bound_KE)[..., None]
            beyond_BT1 = jnp.maximum(amount_BT1 - bound, 0)
            bounded = bound > -jnp.inf
            written = written & ~(bounded & (beyond_BT1 == 0))
            amount_BT1 = jnp.where(bounded, beyond_BT1, amount_BT1)
        y_BTD = y_BTD + amount_BT1 * write
        changed = changed | written
    return jnp.where(changed & edits.tokens_BT[..., None] & (slot >= 0), y_BTD, x_BTD)


def tap(module, site: str, x_BTD, kept: Kept, edits: Edits | None = None, slot_of=None):
    """Sows the kept rows of a site after its edit, and returns all rows.

    `slot_of` has the slot of this layer for each site that `edits` names.
    """
    if edits is not None and site in edits.sites:
        x_BTD = apply_edit(x_BTD, edits.sites[site], slot_of[site], edits)
    kept_BPD = jnp.take_along_axis(x_BTD, kept.positions_BP[..., None], axis=1)
    if kept.weights_BQT is not None:
        means_BQD = jnp.einsum("bqt,btd->bqd", kept.weights_BQT, x_BTD, precision="highest")
        kept_BPD = jnp.concatenate([kept_BPD, means_BQD], axis=1)
    module.sow(site, "kept", kept_BPD, reduce_fn=lambda _, new: new, init_fn=lambda: None)
    return x_BTD

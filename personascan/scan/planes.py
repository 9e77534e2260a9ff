"""Threshold planes: a bit for each element and alpha says whether it is significant.

Bits are packed over nodes, strided: word w holds the nodes w, W+w, 2W+w, ..., so that packing is 32
shifts of whole slices. Summing the selected rows' words with carry-save adders leaves the count of
every node as bit planes ("bit-sliced"), lowest bit first; the number of nodes with a given count is
then the popcount of one AND of those planes or their complements. Counts are popcounts of words.
Letters: A alphas, M evaluation rows, D nodes, W words, K bits of a count, C counts 1..M.
"""

import jax
import jax.numpy as jnp
import numpy as np

LANES = 32  # words added up side by side: reductions over a multiple of it vectorise
FEW_LANES = 8  # up to FEW_WORDS, where padding to more would cost more than it saves
FEW_WORDS = 4 * LANES
ROWS_AT_ONCE = 15  # the most that four bits count
COUNTS_AT_ONCE = 64  # counts looked up in one pass over the planes
ALL = np.uint32(0xFFFFFFFF)


def word_count(n_nodes: int) -> int:
    """Returns W for D nodes: whole lanes."""
    words = -(-n_nodes // 32)
    lanes = FEW_LANES if words <= FEW_WORDS else LANES
    return -(-words // lanes) * lanes


def pad_nodes(ranks_MD, never: int):
    """Pads ranks to whole lanes with nodes that are never significant."""
    spare = 32 * word_count(ranks_MD.shape[1]) - ranks_MD.shape[1]
    return jnp.pad(ranks_MD, ((0, 0), (0, spare)), constant_values=never)


def pack_planes(ranks_MD, first, n_alphas: int):
    """Packs the planes [A, M, W] of the ranks first..first+A-1; nodes are padded already."""
    rows, nodes = ranks_MD.shape
    rank_A = (jnp.arange(n_alphas) + first).astype(ranks_MD.dtype)
    rank_MJW = ranks_MD.reshape(rows, 32, nodes // 32)
    planes_AMW = jnp.zeros((n_alphas, rows, nodes // 32), jnp.uint32)
    for bit in range(32):
        planes_AMW |= (rank_MJW[None, :, bit] <= rank_A[:, None, None]).astype(jnp.uint32) << bit
    return planes_AMW


def pack_mask(mask_MD):
    """Packs a bool mask into words [M, W]; nodes are padded already."""
    return pack_planes((~mask_MD).astype(jnp.uint8), 0, 1)[0]


def unpack_nodes(nodes_W, n_nodes: int):
    """Returns packed nodes as a bool mask [..., D]."""
    index_J1 = jnp.arange(32, dtype=jnp.uint32)[:, None]
    index_J1 = index_J1.reshape((1,) * (nodes_W.ndim - 1) + (32, 1))
    bits = (nodes_W[..., None, :] >> index_J1) & 1
    return bits.astype(bool).reshape(*nodes_W.shape[:-1], -1)[..., :n_nodes]


def popcounts(words_XW):
    """Counts the set bits of each row of words, int32: in blocks of lanes, then across lanes."""
    lanes = LANES if words_XW.shape[-1] % LANES == 0 else FEW_LANES
    blocks = words_XW.reshape(*words_XW.shape[:-1], -1, lanes)
    lanes = jax.lax.population_count(blocks).astype(jnp.int32).sum(-2)
    # The barrier keeps the compiler from fusing both sums into one that does not vectorise.
    return jax.lax.optimization_barrier(lanes).sum(-1)


def row_counts(planes_AMW, nodes_W):
    """Counts the significant nodes of a set in every row: [A, M]."""
    return popcounts(planes_AMW & nodes_W[None, None])


def count_bits(planes_AMW, rows_M):
    """Counts the significant selected rows of every node, bit-sliced: [K, A, W].

    Only the selected rows are read, fifteen at a time: two numbers of three bits and one of one
    bit. The barriers keep the compiler from working out each bit of the sum from the rows anew.
    """
    alphas, rows, words = planes_AMW.shape
    selected = rows_M.sum(dtype=jnp.int32)
    row_M = jnp.pad(jnp.argsort(~rows_M).astype(jnp.int32), (0, ROWS_AT_ONCE))

    def add_rows(block, total):
        first = block * ROWS_AT_ONCE

        def words_of(offset):
            words_AW = jax.lax.dynamic_index_in_dim(planes_AMW, row_M[first + offset], 1, False)
            return words_AW & jnp.where(first + offset < selected, ALL, jnp.uint32(0))

        seven, other_seven = (
            jax.lax.optimization_barrier(add_seven([words_of(start + j) for j in range(7)]))
            for start in (0, 7)
        )
        fifteen = jax.lax.optimization_barrier(add_numbers(seven, other_seven, words_of(14)))
        return tuple(add_numbers(total, fifteen)[: len(total)])

    zero = jnp.zeros((alphas, words), jnp.uint32)
    blocks = (selected + ROWS_AT_ONCE - 1) // ROWS_AT_ONCE
    total = jax.lax.fori_loop(0, blocks, add_rows, (zero,) * rows.bit_length())
    return jax.lax.optimization_barrier(jnp.stack(total))


def full_adder(a, b, c):
    """Returns the sum bit and the carry bit of three bits."""
    half = a ^ b
    return half ^ c, (a & b) | (c & half)


def add_seven(rows):
    """Counts for each bit of a word the words of seven that set it: three bits, lowest first."""
    first, carry_1 = full_adder(*rows[:3])
    second, carry_2 = full_adder(first, *rows[3:5])
    ones, carry_3 = full_adder(second, *rows[5:])
    return ones, *full_adder(carry_1, carry_2, carry_3)


def add_numbers(one, other, carry=None):
    """Returns the sum of two bit-sliced numbers and a bit, one bit longer than the longer one."""
    result = []
    for bit in range(max(len(one), len(other))):
        bits = [number[bit] for number in (one, other) if bit < len(number)]
        bits += [carry] if carry is not None else []
        if len(bits) == 3:
            total, carry = full_adder(*bits)
        elif len(bits) == 2:
            total, carry = bits[0] ^ bits[1], bits[0] & bits[1]
        else:
            total, carry = bits[0], None
        result.append(total)
    return [*result, carry] if carry is not None else result


def equal_bits(bits, value):
    """Marks in words where a bit-sliced number [K, ...] equals `value`, scalar or of like rank."""
    marked = ALL
    for bit in range(len(bits)):
        flip = jnp.where((value >> bit) & 1 == 1, jnp.uint32(0), ALL)
        marked &= bits[bit] ^ flip
    return marked


def nodes_with_count(bits_KAW, highest: int):
    """Counts the nodes with each count 1..highest: [A, C] int32."""
    if highest < COUNTS_AT_ONCE:
        count_C = jnp.arange(1, highest + 1, dtype=jnp.uint32)[:, None, None]
        return popcounts(equal_bits(bits_KAW[:, None], count_C)).T
    low = COUNTS_AT_ONCE.bit_length() - 1
    low_C = jnp.arange(COUNTS_AT_ONCE, dtype=jnp.uint32)[:, None, None]

    def with_upper(upper):
        # The upper bits, which all counts of one pass share, are compared once.
        shared = jax.lax.optimization_barrier(equal_bits(bits_KAW[low:], upper))
        return popcounts(equal_bits(bits_KAW[:low, None], low_C) & shared[None])

    upper = jnp.arange(highest // COUNTS_AT_ONCE + 1, dtype=jnp.uint32)
    nodes_UCA = jax.lax.map(with_upper, upper)
    return nodes_UCA.reshape(-1, nodes_UCA.shape[-1])[1 : highest + 1].T


def at_least(bits_KW, count):
    """Returns the packed nodes whose bit-sliced count reaches `count`."""
    more, same = jnp.zeros_like(bits_KW[0]), jnp.full_like(bits_KW[0], ALL)
    for bit in reversed(range(len(bits_KW))):
        least = jnp.where((count >> bit) & 1 == 1, ALL, jnp.uint32(0))
        more |= same & bits_KW[bit] & ~least
        same &= ~(bits_KW[bit] ^ least)
    return more | same


def node_sums(words_MW):
    """Counts the set bits of every node over the rows, by bit and word: [32, W] int32."""
    index_J = jnp.arange(32, dtype=jnp.uint32)
    return ((words_MW[:, None] >> index_J[None, :, None]) & 1).astype(jnp.int32).sum(0)


def pack_bits(mask_JW):
    """Packs a mask by bit and word into words [W]."""
    index_J = jnp.arange(32, dtype=jnp.uint32)
    return (mask_JW.astype(jnp.uint32) << index_J[:, None]).sum(0, dtype=jnp.uint32)

"""The configuration of a model: frozen records, no I/O."""

from dataclasses import dataclass

from personascan.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Rope:
    """One way of rotating queries and keys by their position; `rope.py` has the formulas."""

    dim: int  # coordinates of a head that are rotated, from the first
    theta: float  # base of the wavelengths
    kind: str = "default"  # default, linear, dynamic, llama3, yarn, longrope, none
    factor: float = 1.0  # how many times longer than trained
    original_positions: int = 0  # length in training, where the kind needs it
    low_freq_factor: float = 1.0  # llama3
    high_freq_factor: float = 4.0  # llama3
    beta_fast: float = 32.0  # yarn
    beta_slow: float = 1.0  # yarn
    truncate: bool = True  # yarn
    short_factors: tuple[float, ...] = ()  # longrope, up to original_positions; also fixed divisors
    long_factors: tuple[float, ...] = ()  # longrope, beyond
    attention_factor: float = 1.0  # multiplies cosine and sine: yarn, longrope


@dataclass(frozen=True, kw_only=True)
class DecoderConfig:
    """Shape and variants of a transformer, decoder or encoder. Sizes count elements."""

    vocab_size: int
    layers: int
    width: int  # D, nodes of the residual stream
    heads: int  # H
    kv_heads: int  # K: H for multi-head, 1 for multi-query attention, between for grouped
    head_dim: int
    mlp_width: int  # of one expert where there are experts
    max_positions: int  # longest input in tokens
    tie_embeddings: bool = False  # the unembedding is the transposed embedding
    has_head: bool = True  # an unembedding, or the embedding in its place; else no logits
    embed_width: int = 0  # of the embedding, where it is projected to `width`; 0: the same
    project_last: bool = False  # after positions, token types and norm were applied at embed_width
    token_types: int = 0  # rows of a table whose row 0 is added to every embedding
    embed_norm: bool = False  # of the sum of the embeddings
    causal: bool = True  # a token sees none after it; False: all real ones, as in an encoder
    shared_blocks: bool = False  # one block's parameters serve all layers

    norm: str = "rms"  # rms or layer
    norm_eps: float = 1e-6
    # Norms that a block has: before (attn_norm, mlp_norm) and after (attn_post_norm,
    # mlp_post_norm) attention and MLP, and of the stream after each was added (attn_add_norm,
    # mlp_add_norm).
    norms: tuple[str, ...] = ("attn_norm", "mlp_norm")
    final_norm: bool = True
    qk_norm: str = ""  # of queries and keys: head (one scale), heads (one each), width (over all)
    biases: tuple[str, ...] = ()  # parameters that have a bias, e.g. "q", "o", "attn_norm"
    parallel: bool = False  # attention and MLP both read the block's input

    ropes: tuple[Rope, ...] = ()
    rope_of_layer: tuple[int, ...] = ()  # [L] index into ropes
    learned_positions: bool = False
    position_offset: int = 0  # row of the first position in the learned table
    padding_token: int | None = None  # it has the row before that, and takes no position
    alibi: bool = False  # logits fall linearly with distance

    windows: tuple[int, ...] = ()  # [L] tokens that attention reaches back, 0: all; (): all
    attn_scale: float = 0.0  # of the logits; 0: 1/sqrt(head_dim)
    attn_softcap: float = 0.0  # 0: none

    activation: str = "silu"
    gated: bool = True
    experts: int = 0  # 0: one dense MLP
    experts_per_token: int = 0
    normalize_router: bool = True  # the chosen experts' weights sum to 1

    embed_scale: float = 1.0
    residual_scale: float = 1.0  # of what attention and MLP add
    logit_scale: float = 1.0
    logit_softcap: float = 0.0

    def site_shape(self, site: str) -> tuple[int, int]:
        """Returns layers and nodes (L, D) of a site; InputError for mlp_hidden with experts."""
        if site == "head_out":
            return self.layers, self.heads * self.head_dim
        if site == "mlp_hidden":
            if self.experts:
                raise InputError(
                    f"site mlp_hidden: this model's MLP is {self.experts} experts, of which each "
                    f"token uses {self.experts_per_token}, and so has no neurons that all tokens "
                    "share; use mlp_out"
                )
            return self.layers, self.mlp_width
        return 1 if site == "final_norm" else self.layers, self.width

    def block_shapes(self) -> dict[str, tuple[int, ...]]:
        """Returns the parameters of one block and their shapes."""
        width, mlp = self.width, self.mlp_width
        q, kv = (self.heads, self.head_dim), (self.kv_heads, self.head_dim)
        shapes = dict.fromkeys(self.norms, (width,))
        shapes |= {"q": (width, *q), "k": (width, *kv), "v": (width, *kv), "o": (*q, width)}
        if self.qk_norm:
            one = self.qk_norm == "head"
            shapes |= {"q_norm": q[1:] if one else q, "k_norm": kv[1:] if one else kv}
        if self.experts:
            shapes["router"] = (width, self.experts)
        expert = (self.experts,) if self.experts else ()
        if self.gated:
            shapes["gate"] = (*expert, width, mlp)
        shapes |= {"up": (*expert, width, mlp), "down": (*expert, mlp, width)}
        outputs = {"q": q, "k": kv, "v": kv, "gate": (mlp,), "up": (mlp,)}
        norms = ("q_norm", "k_norm")
        for name in self.biases:
            if name in shapes:
                whole = shapes[name] if name in norms else (width,)
                shapes[f"{name}_bias"] = outputs.get(name, whole)
        return shapes

    def top_shapes(self) -> dict[str, tuple[int, ...]]:
        """Returns the parameters outside the blocks and their shapes."""
        embed = self.embed_width or self.width
        shapes = {"embedding": (self.vocab_size, embed)}
        if self.embed_width:
            shapes["embed_in"] = (embed, self.width)
        if self.embed_width and not self.project_last:
            shapes["embed_out"] = (self.width, embed)
        summed = embed if self.project_last else self.width
        if self.learned_positions:
            shapes["positions"] = (self.max_positions + self.position_offset, summed)
        if self.token_types:
            shapes["token_types"] = (self.token_types, summed)
        if self.embed_norm:
            shapes["embed_norm"] = (summed,)
        if self.final_norm:
            shapes["final_norm"] = (self.width,)
        if not self.tie_embeddings and self.has_head:
            shapes["lm_head"] = (embed, self.vocab_size)
        for name in ("embed_norm", "embed_in", "final_norm", "lm_head"):
            there = name in shapes or (name == "lm_head" and self.has_head)
            if name in self.biases and there:
                # A tied lm_head has a bias and no weight of its own.
                size = self.vocab_size if name == "lm_head" else shapes[name][-1]
                shapes[f"{name}_bias"] = (size,)
        return shapes

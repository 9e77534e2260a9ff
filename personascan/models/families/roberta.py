"""RoBERTa, CamemBERT and XLM-RoBERTa: BERT whose positions start behind the row of padding."""

from personascan.models.families import bert
from personascan.models.families.keys import Settings


def config(s: Settings) -> dict:
    shape, padding = bert.config(s), s.pad_token_id
    return shape | dict(
        max_positions=shape["max_positions"] - (padding + 1),
        position_offset=padding + 1,
        padding_token=padding,
    )


HF_TENSORS = bert.encoder_table("roberta")
GGUF_TENSORS = None

"""RoBERTa, CamemBERT and XLM-RoBERTa: BERT whose positions start behind the row of padding."""

from personascan.models.families import bert
from personascan.models.families.keys import Settings


def config(s: Settings) -> dict:
    shape, offset = bert.config(s), s.pad_token_id + 1
    return shape | dict(max_positions=shape["max_positions"] - offset, position_offset=offset)


HF_TENSORS = bert.encoder_table("roberta")
GGUF_TENSORS = None

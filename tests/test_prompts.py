import numpy as np
import pytest
from tiny_models import CHAT, save_tokenizer

import personascan
from personascan.models.tokenizer import folder_tokenizer
from personascan.sources.language.batches import plan_batches
from personascan.sources.language.prompts import Prompt, tokenize

NO_SYSTEM = (
    "{% for m in messages %}{% if m['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}{{ m['content'] }}{% endfor %}"
)
DROPS_SYSTEM = (
    "{% for m in messages %}{% if m['role'] != 'system' %}{{ m['content'] }}{% endif %}{% endfor %}"
)


def statement(text="I like walks", id_="w-1"):
    return personascan.Statement(id_, text, "walks", "", True, 1.0, "")


def tokenizer(folder, template=CHAT):
    save_tokenizer(folder, template)
    return folder_tokenizer(folder)


def test_the_statement_is_one_message_and_the_models_turn_is_open(tmp_path):
    tok = tokenizer(tmp_path)
    (prompt,) = tokenize(tok, [statement()], "system", 500)
    ids = prompt.ids
    text = tok.decode(ids)
    assert text == "<|im_start|>system\nI like walks<|im_end|>\n<|im_start|>assistant\n"
    assert ids.count(tok.bos_token_id) == 2  # the template's own, not one more
    (other,) = tokenize(tok, [statement()], "user", 500)
    assert tok.decode(other.ids).startswith("<|im_start|>user\n")


@pytest.mark.parametrize("template", [NO_SYSTEM, DROPS_SYSTEM])
def test_a_template_that_refuses_or_drops_the_message_names_the_cure(tmp_path, template):
    tok = tokenizer(tmp_path, template)
    with pytest.raises(personascan.InputError, match=r"--config\.role=user") as caught:
        tokenize(tok, [statement()], "system", 500)
    assert "\n" not in str(caught.value)
    assert tokenize(tok, [statement()], "user", 500)


def test_prompts_that_cannot_be_made_are_refused(tmp_path):
    with pytest.raises(personascan.InputError, match=r"statement w-1 has .* tokens"):
        tokenize(tokenizer(tmp_path / "a"), [statement("I " * 300)], "system", 500)
    with pytest.raises(personascan.InputError, match="role 'bystander' is unknown"):
        tokenize(tokenizer(tmp_path / "b"), [statement()], "bystander", 500)


@pytest.mark.parametrize("batch_tokens", [1, 64, 500, 100000])
def test_every_statement_is_in_one_batch_whole(batch_tokens):
    rng = np.random.default_rng(0)
    ids = [rng.integers(1, 99, n).tolist() for n in rng.integers(3, 70, 200)]
    batches = plan_batches([Prompt(row, 0, len(row) - 1) for row in ids], batch_tokens, pad=0)
    assert sorted(np.concatenate([b.rows[: b.real] for b in batches])) == list(range(200))
    for b in batches:
        size, padded = b.tokens_BT.shape
        assert size * padded <= max(batch_tokens, padded)
        assert b.real <= size
        for row, number in enumerate(b.rows):
            length = len(ids[number])
            assert b.tokens_BT[row, :length].tolist() == ids[number]
            assert not b.tokens_BT[row, length:].any()
            assert b.lengths_B[row] == length


def test_batches_waste_little_and_have_few_shapes():
    rng = np.random.default_rng(1)
    prompts = [Prompt([1] * n, 0, n - 1) for n in rng.integers(20, 40, 800)]
    batches = plan_batches(prompts, 2048, pad=0)
    assert len({b.tokens_BT.shape for b in batches}) <= 8
    assert sum(b.tokens_BT.size for b in batches) <= 1.08 * sum(len(p.ids) for p in prompts)
    again = plan_batches(prompts, 2048, pad=0)
    assert all((a.tokens_BT == b.tokens_BT).all() for a, b in zip(batches, again, strict=True))

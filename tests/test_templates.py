"""Real chat templates: which token is the statement's last, and what stands in front of it."""

import json
import pathlib
import re

import pytest

import personascan
from personascan.sources.language.prompts import tokenize

FOLDER = pathlib.Path(__file__).parent / "published/chat_templates"
INDEX = json.loads((FOLDER / "index.json").read_text(encoding="utf-8"))
TEXTS = [
    "I like walks",
    "user",  # a word that templates hold themselves
    "Everyone, everywhere: keep it up!",
    "naïve café — 北京 🙂",
    'I said: "it\'s 3.14" (twice)',
]
STATEMENTS = [
    personascan.Statement(f"s{i}", t, "p", "", True, 1.0, "") for i, t in enumerate(TEXTS)
]
CASES = [(name, role) for name in INDEX for role in INDEX[name]["roles"]]


def merging_tokenizer(template: str, bos: str | None, eos: str | None):
    """A byte-level tokenizer with merges, in which the template's markers are special tokens."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    markers = {*re.findall(r"<[|\w]+>|\[/?\w+\]", template), bos, eos} - {None}
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator([*TEXTS, template] * 3, trainer)
    tokenizer.add_special_tokens(
        [AddedToken(m, special=True, normalized=False) for m in sorted(markers)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, chat_template=template, bos_token=bos, eos_token=eos,
        clean_up_tokenization_spaces=False,
    )  # fmt: skip


def last_token_of(text, tokenizer, ids):
    """The token with which the decoded prompt first holds a text to its end."""
    return next(i for i in range(len(ids)) if text in tokenizer.decode(ids[: i + 1]))


@pytest.mark.parametrize(("name", "role"), CASES)
def test_the_last_token_of_the_statement(name, role):
    entry = INDEX[name]
    template = (FOLDER / name).read_text(encoding="utf-8")
    tok = merging_tokenizer(template, entry["bos_token"], entry["eos_token"])
    prompts = tokenize(tok, STATEMENTS, role, 5000)
    for s, prompt in zip(STATEMENTS, prompts, strict=True):
        own = tok.decode(prompt.ids[prompt.first : prompt.last + 1])
        # Merges may join the statement's edges to what the template has beside them.
        assert s.text in own
        assert s.text not in tok.decode(prompt.ids[prompt.first : prompt.last])
        assert s.text not in tok.decode(prompt.ids[prompt.first + 1 : prompt.last + 1])
        if s.text == "user":  # which a template may hold before it: where the others are
            assert abs(prompt.first - prompts[0].first) <= 1
        else:
            assert prompt.last == last_token_of(s.text, tok, prompt.ids)
    if entry["bos_token"] and entry["bos_token"] in template:
        bos = tok.bos_token_id
        rendered = tok.apply_chat_template(
            [{"role": role, "content": TEXTS[0]}], tokenize=False, add_generation_prompt=True
        )
        assert prompts[0].ids.count(bos) <= rendered.count(entry["bos_token"])
        assert prompts[0].ids[:2] != [bos, bos]


def test_there_are_enough_of_them():
    assert len(INDEX) >= 10
    assert {role for _, role in CASES} == {"system", "user", "assistant"}


@pytest.mark.parametrize("name", [n for n in INDEX if "system" not in INDEX[n]["roles"]])
def test_templates_without_a_system_role_name_another(name):
    entry = INDEX[name]
    tok = merging_tokenizer(
        (FOLDER / name).read_text(encoding="utf-8"), entry["bos_token"], entry["eos_token"]
    )
    with pytest.raises(personascan.InputError, match="--role=user") as caught:
        tokenize(tok, STATEMENTS, "system", 5000)
    assert "\n" not in str(caught.value)


def test_prefix_and_suffix_are_not_the_statement():
    entry = INDEX["google-gemma-2-2b-it.jinja"]  # a template that strips the message
    template = (FOLDER / "google-gemma-2-2b-it.jinja").read_text(encoding="utf-8")
    tok = merging_tokenizer(template, entry["bos_token"], entry["eos_token"])
    around = dict(prefix="  Would you say\n\n«", suffix="» ? Answer yes or no.  ")
    for role in ("user", "none"):
        for s, p in zip(STATEMENTS, tokenize(tok, STATEMENTS, role, 5000, **around), strict=True):
            own = tok.decode(p.ids[p.first : p.last + 1])
            assert s.text in own
            assert "yes or no" in tok.decode(p.ids[p.last :])
            assert "Would" in tok.decode(p.ids[: p.first])


def test_a_first_token_is_never_doubled():
    tok = merging_tokenizer("{{ messages[0].content }}", "<s>", "</s>")
    from tokenizers import processors

    tok.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", tok.bos_token_id)]
    )
    for around in ({}, dict(prefix="<s>")):
        for p in tokenize(tok, STATEMENTS, "none", 500, **around):
            assert p.ids.count(tok.bos_token_id) == 1
            assert p.ids[0] == tok.bos_token_id
            assert p.first > 0
    for p in tokenize(tok, STATEMENTS, "user", 500):
        assert tok.bos_token_id not in p.ids  # this template writes none


def test_without_a_template_the_text_stands_alone_with_a_notice(capsys):
    tok = merging_tokenizer("", None, None)
    tok.chat_template = None
    (p, *_) = tokenize(tok, STATEMENTS, "system", 500)
    assert tok.decode(p.ids) == TEXTS[0]
    assert "no chat template" in capsys.readouterr().err
    with pytest.raises(personascan.InputError, match="no chat template, which a role needs"):
        tokenize(tok, STATEMENTS, "system", 500, strict=True)
    assert tokenize(tok, STATEMENTS, "none", 500, strict=True)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("template", ["{{ 1 / 0 }}", "{{ messages[0]['content'] + 1 }}"])
def test_a_template_that_fails_is_one_line(template):
    tok = merging_tokenizer(template, None, None)
    with pytest.raises(
        personascan.InputError, match=r"the chat template fails .*correct the checkpoint"
    ):
        tokenize(tok, STATEMENTS, "user", 500)


def test_space_around_a_statement_is_not_its_own():
    tok = merging_tokenizer("[{{ messages[0].content | trim }}]", None, None)
    padded = personascan.Statement("s", "  I like walks ", "p", "", True, 1.0, "")
    (p,) = tokenize(tok, [padded], "user", 500)
    assert tok.decode(p.ids[p.first : p.last + 1]) == "I like walks"


PARTS = (
    "{% for m in messages %}{{ m['role'] | capitalize }}"
    "{% if m['content'][0]['type'] == 'image' %}:{% else %}: {% endif %}"
    "{% for part in m['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<end>\n{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)


ONLY_PARTS = PARTS.replace(
    "{% for m", "{% if messages[0].content is string %}{{ raise_exception('no') }}{% endif %}"
    "{% for m", 1,
)  # fmt: skip


@pytest.mark.parametrize(
    ("template", "role"), [(PARTS, "system"), (PARTS, "assistant"), (ONLY_PARTS, "user")]
)
def test_a_template_that_drops_texts_is_given_parts(template, role):
    tok = merging_tokenizer(template, None, None)
    for s, p in zip(STATEMENTS, tokenize(tok, STATEMENTS, role, 500), strict=True):
        parts = [{"role": role, "content": [{"type": "text", "text": s.text}]}]
        opened = role != "assistant"
        whole = tok.apply_chat_template(parts, tokenize=False, add_generation_prompt=opened)
        assert tok.decode(p.ids) == whole
        assert s.text in tok.decode(p.ids[p.first : p.last + 1])


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ messages[0].content[:0] }}", "drops or alters a message"),
        # Of a list the first items are the whole text, as Python spells it.
        ("{{ messages[0].content[:2] }}", "drops or alters a message"),
        ("{{ raise_exception('no ' ~ messages[0].content is string) }}", "refuses .*True"),
    ],
)
def test_what_parts_do_not_mend_is_said_of_the_text(template, message):
    tok = merging_tokenizer(template, None, None)
    with pytest.raises(personascan.InputError, match=message):
        tokenize(tok, STATEMENTS, "user", 500)

"""tokenizer.json decides the ids, whatever else a folder says; templates are chosen and pinned."""

import datetime
import json

import pytest
from tiny_models import CHAT, SPECIAL, byte_vocabulary, save_tiny_llama
from tiny_pieces import write_pieces

import personascan
from personascan.models.families import FAMILIES
from personascan.models.folder import is_description_file
from personascan.models.tokenizer import folder_tokenizer, tokenizer_files
from personascan.sources.language import templates
from personascan.sources.language.prompts import tokenize

TEXT = "I saved 1000000 in 2026.\n\nWe can't <|im_end|> stop,  é中文 </s> 12."
CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CLASSES = (
    "GPT2Tokenizer", "LlamaTokenizer", "LlamaTokenizerFast", "GemmaTokenizer", "Qwen2Tokenizer",
    "CohereTokenizer", "GPTNeoXTokenizer", "PreTrainedTokenizerFast", "TokenizersBackend", None,
)  # fmt: skip


def statement(text, number=0):
    return personascan.Statement(f"s{number}", text, "p", "", True, 1.0, "")


def words(kind):
    from tokenizers import Regex, pre_tokenizers

    bytes_alone = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return {
        "gpt2": pre_tokenizers.ByteLevel(add_prefix_space=False),
        "prefixed": pre_tokenizers.ByteLevel(add_prefix_space=True),
        "cl100k": pre_tokenizers.Sequence(
            [pre_tokenizers.Split(Regex(CL100K), "isolated"), bytes_alone]
        ),
        "digits": pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]
        ),
    }[kind]


def save_json(folder, kind="gpt2", bos=False):
    """A trained tokenizer.json; its first token in front if asked for. The tokenizer."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = words(kind), decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=SPECIAL, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    tokenizer.train_from_iterator([TEXT] * 50, trainer)
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{SPECIAL[1]} $A", special_tokens=[(SPECIAL[1], 1)]
        )
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer


def save_settings(folder, **settings):
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


@pytest.mark.parametrize("kind", ["gpt2", "prefixed", "cl100k", "digits"])
@pytest.mark.parametrize("bos", [True, False])
def test_ids_are_those_of_the_file_for_every_family_and_class(tmp_path, kind, bos):
    expected = save_json(tmp_path, kind, bos)
    chat = CHAT.replace("{% for", "{{ bos_token }}{% for", 1)
    rendered = f"<|im_start|><|im_start|>system\n{TEXT}<|im_end|>\n<|im_start|>assistant\n"
    for model_type in FAMILIES:
        (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
        for name in CLASSES if model_type in ("llama", "gpt2") else CLASSES[:2]:
            # A token that the file does not know would be added to it, and split a text elsewhere.
            save_settings(
                tmp_path, tokenizer_class=name, bos_token=SPECIAL[1], eos_token="</s>",
                pad_token="2026", add_prefix_space=True, add_bos_token=True, chat_template=chat,
            )  # fmt: skip
            tok = folder_tokenizer(tmp_path)
            for special in (True, False):
                ids = tok(TEXT, add_special_tokens=special)["input_ids"]
                assert ids == expected.encode(TEXT, add_special_tokens=special).ids, name
        if model_type in ("llama", "gpt2"):
            (prompt,) = tokenize(tok, [statement(TEXT)], "system", 600)
            assert prompt.ids == expected.encode(rendered, add_special_tokens=False).ids


def test_a_file_that_cuts_or_pads_does_neither_here(tmp_path):
    tokenizer = save_json(tmp_path)
    whole = tokenizer.encode(TEXT).ids
    tokenizer.enable_truncation(5)
    tokenizer.enable_padding(length=700)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert folder_tokenizer(tmp_path)(TEXT)["input_ids"] == whole


def test_files_of_before_tokenizer_json_are_read(tmp_path):
    """A sentencepiece model alone, beside the sentencepiece library."""
    import sentencepiece

    (tmp_path / "text").write_text("I like long walks in 2026.\nWe can not stop.\n" * 30)
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "text"), model_prefix=str(tmp_path / "tokenizer"), vocab_size=60,
        model_type="bpe", byte_fallback=False, minloglevel=2,
    )  # fmt: skip
    save_settings(tmp_path, tokenizer_class="LlamaTokenizer")
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.model"))
    ids = folder_tokenizer(tmp_path)("I like walks", add_special_tokens=False)["input_ids"]
    assert ids == theirs.encode("I like walks")


@pytest.mark.parametrize(
    ("model_type", "there", "missing"),
    [
        ("bert", (), "vocab.txt"),
        ("albert", (), "spiece.model"),
        ("xlm-roberta", (), "sentencepiece.bpe.model"),
        ("gemma", (), "tokenizer.model"),
        ("gpt2", (), "merges.txt, vocab.json"),
        ("gpt2", ("vocab.json",), "merges"),
    ],
)
def test_a_folder_without_its_vocabulary_is_refused(tmp_path, model_type, there, missing):
    """Transformers would make a tokenizer that knows no word of it."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    for name in there:
        (tmp_path / name).write_text(json.dumps({c: i for i, c in enumerate(byte_vocabulary())}))
    with pytest.raises(personascan.InputError, match=rf"no tokenizer .*{missing}"):
        folder_tokenizer(tmp_path)


def test_a_file_of_special_tokens_alone_is_refused(tmp_path):
    from tokenizers import Tokenizer, models

    tokenizer = Tokenizer(models.BPE())
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    save_settings(tmp_path, bos_token=SPECIAL[1])
    with pytest.raises(personascan.InputError, match="knows no tokens but special ones"):
        folder_tokenizer(tmp_path)


def test_splitting_special_tokens_is_refused_by_name(tmp_path):
    save_json(tmp_path)
    save_settings(tmp_path, split_special_tokens=True)
    with pytest.raises(personascan.InputError, match="split_special_tokens, which is not handled"):
        folder_tokenizer(tmp_path)


def test_every_file_that_a_tokenizer_class_of_a_family_reads_is_known():
    """It decides token ids: it is fetched from the hub, hashed, and copied by conversions."""
    import transformers
    from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES

    names = {TOKENIZER_MAPPING_NAMES.get(model_type) for model_type in FAMILIES} - {None}
    assert len(names) >= 10
    for name in names:
        for file in getattr(transformers, name).vocab_files_names.values():
            assert is_description_file(file), (name, file)
    for file in ("tokenizer.json", "generation_config.json", "additional_chat_templates/a.jinja"):
        assert is_description_file(file)
    for file in ("model.safetensors", "README.md", "more/tokenizer.json", "onnx/config.json"):
        assert not is_description_file(file)


def test_a_file_of_pieces_is_among_those_that_decide_ids(tmp_path):
    save_settings(tmp_path)
    write_pieces(tmp_path / "sentencepiece.bpe.model", [TEXT] * 9)
    names = {file.name for file in tokenizer_files(tmp_path)}
    assert names == {"tokenizer_config.json", "sentencepiece.bpe.model"}


# Ids without a row


def test_a_token_that_the_model_has_no_row_for_is_refused(tmp_path):
    from tokenizers import Tokenizer

    save_tiny_llama(tmp_path)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    tokenizer.add_tokens(["<persona>"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    model = personascan.load_model(str(tmp_path), cache=False)
    rows = len(byte_vocabulary())
    some = [statement("hello"), statement("a <persona> b", 1)]
    personascan.extract(model, some[:1], progress=False)
    told = rf"s1 has the token '<persona>' with id {rows}, but .* {rows} rows .*knows {rows + 1}"
    with pytest.raises(personascan.InputError, match=told):
        personascan.extract(model, some, progress=False)
    with pytest.raises(personascan.InputError, match=told):
        personascan.plan_extraction(str(tmp_path), some)


def test_a_first_token_is_doubled_in_no_statement(tmp_path):
    save_json(tmp_path, bos=True)
    save_settings(tmp_path, bos_token=SPECIAL[1])
    tok = folder_tokenizer(tmp_path)
    some = [statement("<|im_start|>ab"), statement("cd", 1), statement("<|im_start|>", 2)]
    prompts = tokenize(tok, some, "none", 600)
    assert [p.ids.count(1) for p in prompts] == [1, 1, 1]
    assert [p.ids[0] for p in prompts] == [1, 1, 1]
    assert tok.decode(prompts[0].ids[prompts[0].first :]) == "<|im_start|>ab"
    assert tok.decode(prompts[1].ids[prompts[1].first :]) == "cd"


def test_a_pattern_that_gives_up_names_the_statement(tmp_path):
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.BPE({c: i for i, c in enumerate(byte_vocabulary())}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"(a|aa)+$"), "isolated")
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    save_settings(tmp_path)
    some = [statement("fine"), statement("a" * 60 + "!", 7)]
    with pytest.raises(personascan.InputError, match="gives up on statement s7"):
        tokenize(folder_tokenizer(tmp_path), some, "none", 600)


# Templates


@pytest.fixture
def folder(tmp_path):
    save_json(tmp_path)
    return tmp_path


def prompt_text(folder, role="system", **options):
    tok = folder_tokenizer(folder)
    (prompt,) = tokenize(tok, [statement("ab")], role, 600, **options)
    return tok.decode(prompt.ids)


@pytest.mark.parametrize("as_files", [True, False])
def test_named_templates_are_chosen_by_name(folder, as_files):
    named = {"rag": "R{{ messages[0].content }}", "tool_use": "T{{ messages[0].content }}"}
    if as_files:
        (folder / "additional_chat_templates").mkdir()
        for name, text in named.items():
            (folder / f"additional_chat_templates/{name}.jinja").write_text(text)
        save_settings(folder)
    else:
        found = [{"name": name, "template": text} for name, text in named.items()]
        save_settings(folder, chat_template=found)
    assert prompt_text(folder, template="rag") == "Rab"
    assert prompt_text(folder, template="tool_use") == "Tab"
    with pytest.raises(personascan.InputError, match=r"no default; choose one .*rag, tool_use"):
        prompt_text(folder)
    with pytest.raises(personascan.InputError, match=r"no chat template 'x'.*rag, tool_use"):
        prompt_text(folder, template="x")


def test_a_file_of_its_own_goes_before_the_settings(folder):
    save_settings(folder, chat_template="S{{ messages[0].content }}")
    assert prompt_text(folder) == "Sab"
    (folder / "chat_template.jinja").write_text("F{{ messages[0].content }}")
    assert prompt_text(folder) == "Fab"


def test_keywords_reach_the_template(folder):
    save_settings(
        folder, chat_template="{{ messages[0].content }}{{ '' if enable_thinking else ' quick' }}"
    )
    assert prompt_text(folder, template_keywords={"enable_thinking": False}) == "ab quick"
    assert prompt_text(folder, template_keywords={"enable_thinking": True}) == "ab"
    found = templates.parse_keywords(["a=false", "b=False", "c=3", "d=x y", 'e="1"', "f=None"])
    assert found == {"a": False, "b": False, "c": 3, "d": "x y", "e": "1", "f": None}
    for wrong in ("a", "=1", "1a=2"):
        with pytest.raises(personascan.InputError, match="not written name=value"):
            templates.parse_keywords([wrong])
    with pytest.raises(personascan.InputError, match="'messages' is set by the prompt"):
        prompt_text(folder, template_keywords={"messages": []})


def test_the_day_is_the_one_that_was_set(folder, monkeypatch, capsys):
    """Today is looked at by no one, so the same configuration gives the same numbers tomorrow."""
    asks = "{{ strftime_now('%d %b %Y') if strftime_now is defined }} {{ messages[0].content }}"
    save_settings(folder, chat_template=asks)

    class Tomorrow(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2031, 1, 2)

    import transformers.utils.chat_template_utils as theirs

    monkeypatch.setattr(theirs, "datetime", Tomorrow)
    assert prompt_text(folder) == "26 Jul 2024 ab"
    assert "tells the model a day: 2024-07-26 (date)" in capsys.readouterr().err
    assert prompt_text(folder, date="2025-12-01") == "01 Dec 2025 ab"
    for wrong in ("today", "2025-13-01", "", None):
        with pytest.raises(personascan.InputError, match="no day written YYYY-MM-DD"):
            prompt_text(folder, date=wrong)


def test_a_template_that_never_ends_is_named(folder, monkeypatch):
    loops = "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(9999) %}"
    save_settings(folder, chat_template=loops + "{% endfor %}{% endfor %}{% endfor %}")
    monkeypatch.setattr(templates, "SECONDS", 0.3)
    with pytest.raises(personascan.InputError, match="the chat template did not end in 0 s"):
        prompt_text(folder)


@pytest.mark.parametrize(
    ("text", "message", "about_role"),
    [
        ("{{ raise_exception('no system') }}", r"refuses a message .*no system", True),
        ("{{ nothing.at.all }}", r"fails \('nothing' is undefined\)", False),
        ("{% for %}", "the chat template fails", False),
        ("{{ messages[0].content | unknown }}", "the chat template fails", False),
        ("{{ ''.__class__.__mro__ }}", "the chat template", False),
    ],
)
def test_only_a_refusal_advises_another_role(folder, text, message, about_role):
    save_settings(folder, chat_template=text)
    with pytest.raises(personascan.InputError, match=message) as caught:
        prompt_text(folder)
    assert ("use another role" in str(caught.value)) == about_role
    assert "\n" not in str(caught.value)


def test_special_tokens_are_found_wherever_a_folder_keeps_them(folder, capsys):
    """In the map of before, spelled with settings, as extra ones, or as the class has them."""
    chat = "{{ bos_token }}{{ eos_token }}{{ image_token }}{{ messages[0].content }}"
    save_settings(
        folder, chat_template=chat, tokenizer_class="GPT2Tokenizer",
        extra_special_tokens={"image_token": "<|im_end|>"},
    )  # fmt: skip
    record = {"bos_token": {"content": SPECIAL[1], "lstrip": False}}
    (folder / "special_tokens_map.json").write_text(json.dumps(record))
    text = prompt_text(folder)
    assert text == "<|im_start|><|endoftext|><|im_end|>ab"
    assert capsys.readouterr().err == ""
    save_settings(folder, chat_template=chat, bos_token="<none>")
    assert prompt_text(folder).startswith("<none>")
    assert "bos_token '<none>' is no token of the tokenizer" in capsys.readouterr().err


def test_a_first_token_that_no_setting_names_is_not_doubled(tmp_path):
    save_json(tmp_path, bos=True)
    save_settings(tmp_path)
    some = [statement("<|im_start|>ab"), statement("cd", 1)]
    prompts = tokenize(folder_tokenizer(tmp_path), some, "none", 600)
    assert [p.ids.count(1) for p in prompts] == [1, 1]


def test_dropout_of_training_is_off(tmp_path):
    save_json(tmp_path)
    path = tmp_path / "tokenizer.json"
    content = json.loads(path.read_text())
    content["model"]["dropout"] = 0.5
    path.write_text(json.dumps(content))
    save_settings(tmp_path)
    tok = folder_tokenizer(tmp_path)
    assert len({tuple(tok(TEXT)["input_ids"]) for _ in range(10)}) == 1


@pytest.mark.parametrize(
    "text",
    [
        "{{ 9**(9**9) }}",
        "{% set n = messages|length + 8 %}{{ (n**(n**n)) > 3 }}",
        "{% set x = 'a' %}{{ (x * 9000000000)|length }}",
        "{{ 'a'|center(9000000000) }}",
        "{{ range(100)|random }}",
        "{{ lipsum() }}",
    ],
)
def test_a_template_that_bursts_or_rolls_dice_is_refused(folder, monkeypatch, text):
    save_settings(folder, chat_template=text)
    monkeypatch.setattr(templates, "SECONDS", 2.0)
    with pytest.raises(personascan.InputError, match=r"did not end in 2 s|the chat template fails"):
        prompt_text(folder)


@pytest.mark.parametrize("names", [(5, "a"), ("a", "a"), (None, "a")])
def test_templates_need_names_of_their_own(folder, names):
    save_settings(folder, chat_template=[{"name": n, "template": "x"} for n in names])
    with pytest.raises(personascan.InputError, match="distinct names"):
        prompt_text(folder)

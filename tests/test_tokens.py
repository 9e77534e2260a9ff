"""Statements token by token: pieces, projections, which are shown, and what a study keeps."""

import csv
import json
import pathlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import save_tiny_llama
from tiny_studies import recipe, run_study

import personascan
from personascan.places import Place
from personascan.report.files import write_report
from personascan.report.shaded import shade
from personascan.sources.language.prompts import tokenize
from personascan.sources.language.statements import Statement
from personascan.sources.language.templates import PromptOptions
from personascan.sources.language.token_projections import project_tokens, text_pieces
from personascan.study.half_direction import extreme_rows

TEXTS = (
    "I am calm.", "  space around  ", "né 👩‍🔬 naïve", "two\nlines\tand a tab", "a", "日本語の文",
    "<|im_end|> inside",
)  # fmt: skip


def statement(text, number=0, positive=True):
    return Statement(str(number), text, "calm", "", positive, 1.0, "")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_tiny_llama(folder)
    return personascan.load_model(str(folder))


@pytest.mark.parametrize("role", ["none", "system"])
@pytest.mark.parametrize(("prefix", "suffix"), [("", ""), ("Say: ", " Thanks.")])
def test_pieces_join_to_the_text(model, role, prefix, suffix):
    statements = [statement(text, i) for i, text in enumerate(TEXTS)]
    prompts = tokenize(model.tokenizer, statements, role, 600, prefix=prefix, suffix=suffix)
    for one, prompt in zip(statements, prompts, strict=True):
        pieces = text_pieces(model.tokenizer, prompt, one.text)
        assert len(pieces) == len(prompt.ids)
        own = pieces[prompt.first : prompt.last + 1]
        assert "".join(own) == one.text
        if one.text.isascii() and "<" not in one.text:  # the tokenizer knows single bytes only
            stripped = one.text.strip()
            assert [piece.strip() or piece for piece in own] == [c.strip() or c for c in stripped]


@settings(deadline=None, max_examples=60)
@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20))
def test_pieces_join_to_any_text(model, text):
    if not text.strip():
        return
    (prompt,) = tokenize(model.tokenizer, [statement(text)], "none", 600)
    pieces = text_pieces(model.tokenizer, prompt, text)
    assert "".join(pieces[prompt.first : prompt.last + 1]) == text


def word_pieces():
    """Words in lower case, their ends marked: decoding them does not give the text back."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["[UNK]", "i", "am", "cal", "##m", "."]
    tokenizer = Tokenizer(models.WordPiece({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]")


def test_space_that_a_tokenizer_drops_belongs_to_the_token_behind_it():
    tokenizer = word_pieces()
    (prompt,) = tokenize(tokenizer, [statement("I  am CALM.")], "none", 600)
    assert text_pieces(tokenizer, prompt, "I  am CALM.") == ["I", "  am", " CAL", "M", "."]


@pytest.mark.parametrize("role", ["none", "system"])
def test_projections_are_those_of_extracted_rows(model, role):
    """The mean of the tokens is the mean position's row, a token a single position's."""
    statements = [statement(text, i) for i, text in enumerate(TEXTS)]
    direction_D = np.random.default_rng(0).normal(size=model.config.width)
    place = Place("resid_post", 1, "last")
    found = project_tokens(
        model, statements, place, direction_D, options=PromptOptions(role=role), batch_tokens=64
    )
    positions = ("first", "last", "last_statement", "mean_statement", "mean")
    rows = personascan.extract(
        model, statements, positions=positions, role=role, layers=[1], progress=False
    )
    for i, prompt in enumerate(found.prompts):
        value_T, own = found.of(i), slice(prompt.first, prompt.last + 1)
        assert value_T.size == len(prompt.ids)
        expected = {
            "first": value_T[0], "last": value_T[-1], "last_statement": value_T[prompt.last],
            "mean_statement": value_T[own].mean(), "mean": value_T.mean(),
        }  # fmt: skip
        for position, value in expected.items():
            row_D = rows[Place("resid_post", 1, position)][i]
            assert row_D @ direction_D == pytest.approx(value, abs=1e-4)


@given(st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=1), st.integers(1, 6))
def test_the_surprising_rows_stand_first(rows, most):
    score_N = np.array([score for score, _ in rows], float)
    positive_N = np.array([positive for _, positive in rows])
    shown, surprising = extreme_rows(score_N, positive_N, most)
    assert len(set(shown)) == len(shown)
    assert (np.diff(surprising.astype(int)) <= 0).all()
    for side in (True, False):
        own = score_N[positive_N == side]
        sign = 1 if side else -1  # typical: further along its own side
        number = min(most, own.size // 2)
        odd, usual = (
            sign * score_N[shown[(surprising == one) & (positive_N[shown] == side)]]
            for one in (True, False)
        )
        assert odd.tolist() == np.sort(sign * own)[:number].tolist()
        assert usual.tolist() == np.sort(sign * own)[::-1][:number].tolist()


def test_shades_are_even_in_the_sign():
    assert [shade(v) for v in (-9, -3, -0.8, -0.3, 0, 0.3, 0.8, 3, 9)] == [
        "n4", "n4", "n1", "", "", "", "p1", "p4", "p4",
    ]  # fmt: skip


def table(out, name="tokens"):
    with (pathlib.Path(out) / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def unit_keys(units, kind):
    """The inputs of the units of a kind that a store has."""
    return {p.stem: json.loads(p.read_text())["unit"] for p in (units / kind).glob("*.json")}


@pytest.mark.slow
def test_a_study_keeps_the_tokens_of_the_half_that_did_not_find_the_direction(study, place):
    texts = {s.id: s.text for s in personascan.load_statements(place / "statements")}
    assert set(study.part.tokens) == set(study.part.scans)
    for name, shaded in study.part.tokens.items():
        labels, half_N = study.part.detection_rows[name]
        ids = np.array(study.part.pool_ids[name])
        assert shaded.place == study.part.furthest[name]
        assert shaded.low < shaded.auroc <= shaded.high
        for one in shaded.statements:
            row = list(ids).index(one.id)
            assert half_N[row] == 1
            assert labels.positive_N[row] == one.positive
            assert "".join(one.pieces[one.own]) == texts[one.id]
            assert one.score == pytest.approx(one.value_T[-1], abs=1e-3)  # at the position last
        assert [s.surprising for s in shaded.statements] == sorted(
            (s.surprising for s in shaded.statements), reverse=True
        )
        # Deviations of the tokens of H0 statements.
        h0 = np.concatenate([s.value_T[s.own] for s in shaded.statements if not s.positive])
        assert (h0.mean(), h0.std()) == pytest.approx((0, 1), abs=1e-6)
    rows = table(study.config.out)
    assert len(rows) == sum(
        s.value_T.size for one in study.part.tokens.values() for s in one.statements
    )


@pytest.mark.slow
def test_the_scores_order_what_the_direction_was_planted_for(study):
    """Even a random model has its positive statements, shouted in digits, on one side."""
    for one in study.part.tokens.values():
        assert one.auroc > 0.9
        typical = {s.positive: s.score for s in one.statements if not s.surprising}
        assert typical[True] > typical[False]


@pytest.mark.slow
def test_the_page_shades_statements_and_leaves_them_out_on_demand(study, place, tmp_path):
    out = pathlib.Path(study.config.out)
    page = (out / "report.html").read_text(encoding="utf-8")
    one = next(iter(study.part.tokens.values())).statements[0]
    assert 'class="shaded" open' in page
    assert page.count("<span class=") > 100
    assert f"<b>{'H1' if one.positive else 'H0'} {one.score:+.1f}</b>" in page
    bare = write_report(out, "html", tmp_path / "bare.html", texts=False).read_text("utf-8")
    assert 'class="shaded"' not in bare
    assert "Which words carry it" in bare


@pytest.mark.slow
def test_options_are_part_of_the_key_and_none_is_no_stage(study, place):
    before = unit_keys(place / "units", "tokens")
    fewer = run_study(recipe(place, out="fewer", tokens={"statements": 2}))
    shown = next(iter(fewer.part.tokens.values())).statements
    assert len(shown) == 8
    assert len(unit_keys(place / "units", "tokens")) == 2 * len(before)
    none = run_study(recipe(place, out="none", tokens={"statements": 0, "promoted": 0}))
    assert none.part.tokens == none.part.promoted == {}
    assert not (pathlib.Path(none.config.out) / "tokens.csv").exists()
    assert len(unit_keys(place / "units", "tokens")) == 2 * len(before)
    status = personascan.study_status(recipe(place), jobs=1)
    assert (status.kinds["tokens"].done, status.kinds["tokens"].total) == (2, 2)
    assert (
        "tokens"
        not in personascan.study_status(recipe(place, tokens={"statements": 0}), jobs=1).kinds
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"statements": -1}, "config.tokens.statements = -1; use 0 or more"),
        ({"promoted": -2}, "config.tokens.promoted = -2; use 0 or more"),
        ({"draws": 5}, "config.tokens.draws = 5; use 19"),
    ],
)
def test_options_that_cannot_be_are_refused(place, options, message):
    with pytest.raises(personascan.InputError, match=message):
        run_study(recipe(place, out="refused", tokens=options))

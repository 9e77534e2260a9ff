"""Studies of conversations: answers are written, read, compared, and held to controls."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest
from tiny_models import save_tiny_llama
from tiny_planted import save_planted

import personascan
from personascan.analysis.echoes import echoes, is_refusal, own_stems
from personascan.analysis.sweeps import Reach
from personascan.direction import Direction
from personascan.interventions.edits import site_layer
from personascan.interventions.own_judge import Question, own_judgements
from personascan.places import Place
from personascan.report.cards import in_answers
from personascan.report.document import section_without_texts
from personascan.report.lead import answers_sentence
from personascan.report.page import how_sentences
from personascan.report.sections.controls import controls_section, recipes_section
from personascan.report.sections.exchanged import exchanged_sentence
from personascan.report.sections.judged import own_judgement_section
from personascan.report.sections.sweep import sweep_section
from personascan.report.words import Table
from personascan.sources.language.conversation_counts import about_conversations
from personascan.sources.language.conversations import Conversation, Message, Response
from personascan.sources.language.generate import Writing, stop_tokens
from personascan.sources.language.likelihood import log_likelihoods
from personascan.sources.language.templates import PromptOptions
from personascan.study.api import answered_sources, as_config
from personascan.study.comparisons import Comparison, draw_pool
from personascan.study.folder import units_folder
from personascan.study.half_direction import half_direction
from personascan.study.opening import open_study, with_answers
from personascan.study.portions import HALVES, portion_rows
from personascan.study.responses import without_empty
from personascan.study.stages import controls as stage
from personascan.study.stages import where
from personascan.study.steering import named_case
from personascan.study.store import Store
from personascan.study.watching import watch

OWN = Comparison(2, "calm", (("calm", "positive"),), (("calm", "negative"),))
QUESTIONS = 16
JUDGE = "{question} {answer} 0 to 100"


def asked(questions=QUESTIONS, instructions=2):
    """Both sides of every question under every instruction."""
    return {
        "calm": [
            Conversation(
                f"{side}-{k}-{q}", (Message("user", f"question {q}"),), "calm", "traits", side,
                question=f"question {q}", instruction=str(k), entity=f"question {q}",
                pair=f"{q}/{k}",
            )
            for q in range(questions) for k in range(instructions) for side in (True, False)
        ]
    }  # fmt: skip


def test_labels_are_exchanged_by_question_and_instruction_and_halves_dealt_by_question():
    groups = asked()
    pool = draw_pool(groups, OWN, 100, seed=0)
    assert pool.clusters is None
    assert np.unique(pool.pairs).size == 2 * QUESTIONS
    assert np.unique(pool.pair_entities).size == QUESTIONS
    assert pool.together is pool.pair_entities
    a, b = (portion_rows(pool, half, 3) for half in HALVES)
    assert a.size == b.size == pool.positive_N.size // 2
    assert not set(pool.pair_entities[a]) & set(pool.pair_entities[b])
    chosen = where.chosen_rows(pool, a)
    exchange = where.exchange_in(chosen)
    assert exchange.distinct == 2**16  # one flip a pair of the half
    assert chosen.together_N is chosen.pair_entities_N
    assert chosen.inputs() != dataclasses.replace(chosen, pair_entities_N=None).inputs()


def test_pairs_of_other_groups_that_one_side_lacks_are_left_out():
    role = [dataclasses.replace(row, pair=row.entity) for row in asked(6)["calm"] if row.positive]
    default = [
        dataclasses.replace(row, pair=row.entity, persona="default", id=f"d{row.id}")
        for row in asked(9)["calm"] if not row.positive
    ]  # fmt: skip
    against = Comparison(2, "calm", (("calm", "positive"),), (("default", "negative"),))
    pool = draw_pool({"calm": role, "default": default}, against, 100, seed=0)
    assert pool.sizes == (12, 12)
    assert pool.left_out.beyond == (0, 6)
    assert np.unique(pool.pairs).size == 6  # of both instructions: a question is a block


def test_an_empty_answer_takes_its_own_pair_along_and_no_other_personas(capsys):
    rows = [
        dataclasses.replace(row, response=Response((5,), "yes", "length"))
        for row in asked(2, 1)["calm"]
    ]
    others = [dataclasses.replace(row, id=f"o{row.id}", persona="bold") for row in rows]
    rows[0] = dataclasses.replace(rows[0], response=Response((2,), " ", "stop"))
    left = without_empty("m", {"calm": rows, "bold": others})
    assert [row.question for row in left["calm"]] == ["question 1"] * 2
    assert left["bold"] == others
    assert "1 of 8 answers are empty" in capsys.readouterr().err
    with pytest.raises(personascan.InputError, match="no answer with a text left of 'calm'"):
        without_empty("m", {"calm": rows[:2]})


def test_words_of_instructions_are_found_again_in_other_forms():
    own = own_stems(["You are an optimistic person, hopeful."], ["You are a person without hope."])
    assert own == {"optimi", "hopefu"}
    assert echoes("Optimism is good", own)
    assert not echoes("A person hopes", own)
    assert is_refusal("I'm sorry, but no")
    assert is_refusal("As an AI language model, I have none")
    assert not is_refusal("I am happy. " * 20 + "I'm sorry")


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A study of a model whose answers are decided by known nodes, which instructions set."""
    folder = tmp_path_factory.mktemp("conversations")
    save_planted(folder / "model", decides=True, judges=True)
    (folder / "traits").mkdir()
    content = {
        "instruction": [
            {"pos": "77777777 mind it", "neg": "eeeeeeee mind it"},
            {"pos": "77777777 keep on", "neg": "eeeeeeee keep on"},
        ],
        "questions": [f"what of {i} and {7 * i % 10}{chr(97 + i)}" for i in range(QUESTIONS)],
        "eval_prompt": JUDGE,
    }
    (folder / "traits" / "calm.json").write_text(json.dumps(content))
    config = {
        "models": (str(folder / "model"),),
        "conversations": {
            "files": (str(folder / "traits"),),
            "new_tokens": 6,
            "strengths": (-50, 50),
        },
        "positions": ("last_prompt", "mean_response"),
        "apart": 0,
        "separation": {"seeds": 1, "folds": 3},
        "runs": {"background": 8, "clean": 4, "positive": 4, "runs": 4},
        "scan": {"places": ("chosen",), "starts": "3"},
        "where": {"permutations": 39, "fold_permutations": 19, "folds": 3},
        "out": str(folder / "out"),
    }
    before = personascan.study_status(config).summary()
    plan = personascan.plan_study(config).summary()
    study = personascan.run_study(config, jobs=1)
    return study, config, before, plan, folder


@pytest.mark.slow
def test_answers_are_units_that_are_planned_counted_and_kept_whole(planted):
    study, config, before, plan, folder = planted
    assert "responses          0 of 4" in before
    assert "responses" in plan
    assert "everything is done" in personascan.study_status(config).summary()
    rows = study.parts[0].source.groups["calm"]
    assert len(rows) == 4 * QUESTIONS
    model = personascan.load_model(str(folder / "model"))
    stops = stop_tokens(model)
    for row in rows:
        assert row.response.ended == ("stop" if row.response.ids[-1] in stops else "length")
        assert len(row.response.ids) == 6 or row.response.ended == "stop"
        # The planted answer: what the instruction marks decides its first letter.
        assert row.text[0] == ("Y" if row.positive else "N")
    assert (folder / "out" / "answers.csv").exists()


@pytest.mark.slow
def test_a_direction_follows_what_was_answered_or_the_instruction_in_view(planted):
    study, config, *_ = planted
    part = study.parts[0]
    assert part.calibrations["calm"].p_family.min() <= 0.05
    told = {c.name: c for c in part.controls["calm"].controls}
    assert part.controls["calm"].place.position == "mean_response"
    assert told[stage.BEFORE].auroc > 0.95  # the instruction is known there
    for name in (stage.OWN, stage.EXCHANGED, stage.HELD_OUT.format("0")):
        assert told[name].auroc > 0.95  # letters differ, whatever instruction is in view

    case = opened_case(config)
    place = Place("resid_post", 0, "last_prompt")
    one = stage.work(case, half_direction(case, place))
    values, _ = one.function(*one.arguments)
    told = {name: auroc for name, auroc, *_ in values["controls"]}
    assert told[stage.OWN] > 0.95
    assert told[stage.EXCHANGED] < 0.05  # it is the instruction, and nothing else
    assert 0.3 < told[stage.REMOVED] < 0.7


@pytest.mark.slow
def test_the_model_s_own_judgement_is_that_of_its_answers_alone(planted):
    study, _, before, plan, folder = planted
    assert "judged" in before
    assert "judged" in plan
    part = study.parts[0]
    judged = part.judged["calm"]
    assert judged.numbers == (0, 100)
    assert judged.auroc == 1 == judged.high  # the letters of an answer decide its number
    assert judged.mean(True) > judged.mean(False)
    assert judged.rank_correlation > 0.5
    assert np.isnan([judged.agreement, judged.given_auroc]).all()
    half = len(judged.ids) // 2
    assert judged.positive_N.sum() == half <= 32
    rows = {row.id: row for row in part.source.groups["calm"]}
    model = personascan.load_model(str(folder / "model"))
    answers = [(rows[id_].question, rows[id_].text) for id_ in judged.ids]
    found = own_judgements(model, Question(JUDGE, 0, 100), answers, PromptOptions(), 4096)
    np.testing.assert_allclose(judged.score_N, found.score_N, rtol=1e-6)
    assert list(study.frame("judged")["own_judgement_h1"]) == [judged.mean(True)]
    assert len(study.frame("judgements")) == len(judged.ids)
    middle = float(np.median(judged.score_N))
    given = dataclasses.replace(judged, given_N=judged.score_N**2, limits=(middle**2, 0.0))
    assert given.agreement == pytest.approx(1)
    assert np.isnan(given.given_auroc)  # none is kept below
    given = dataclasses.replace(given, limits=(middle**2, middle**2 - 1e-9))
    assert given.given_auroc == 1
    (table,) = [one for one in own_judgement_section(part).blocks if isinstance(one, Table)]
    assert table.rows[0][:2] == ("calm", "0 to 100")


@pytest.mark.slow
def test_answers_move_with_the_strength_of_the_direction_that_is_added(planted):
    study, config, before, plan, _ = planted
    assert "sweep" in before
    assert "sweep" in plan
    (swept,) = study.parts[0].sweeps.values()
    assert swept.strengths == (-50, 0, 50)
    case = opened_case(config)
    half_b = half_direction(case).show.rows
    of_half = {study.parts[0].source.groups["calm"][row].question for row in half_b}
    assert set(swept.questions) == of_half  # 8, each once
    letters = ["".join(sorted({text[0] for text in texts})) for texts in swept.texts_SQ]
    assert (letters[0], letters[2]) == ("N", "Y")  # what decides the planted answer is pushed
    assert (swept.reach(-1), swept.reach(1)) == (Reach(-50, True), Reach(50, True))
    section = sweep_section(study.parts[0])
    assert any(
        "it rises up to strength +50" in one for one in section.blocks if isinstance(one, str)
    )
    assert "YYYYYY" in str(section.packed())
    assert "YYYYYY" not in str(section_without_texts(section.packed()))
    table = study.frame("sweep")
    assert len(table) == 3 * 4  # strengths, by half A's direction and three random ones
    judged_VS = swept.mean_VS["judged"]
    assert list(table["own_judgement"]) == judged_VS.ravel().tolist()


@pytest.mark.slow
def test_what_a_sweep_writes_and_measures_is_what_the_parts_give_by_themselves(planted):
    study, config, *_, folder = planted
    (swept,) = study.parts[0].sweeps.values()
    case = opened_case(config)
    half = half_direction(case)
    place_ND = case.rows(half.place).array()[half.find.rows].astype(np.float64)
    positive_N = half.find.positive_N
    difference_D = place_ND[positive_N].mean(0) - place_ND[~positive_N].mean(0)
    unit_D = difference_D / np.linalg.norm(difference_D)
    deviation = (place_ND[~positive_N] @ unit_D).std()
    model = personascan.load_model(str(folder / "model"))
    added = Direction("a", {site_layer(half.place): 50 * deviation * unit_D})
    texts = personascan.generate(
        model, list(swept.questions), Writing(6), edits=added, batch_tokens=4096
    )
    assert texts == list(swept.texts_SQ[2])
    answers = list(zip(swept.questions, texts, strict=True))
    judged = own_judgements(model, Question(JUDGE, 0, 100), answers, PromptOptions(), 4096)
    assert swept.mean_VS["judged"][0, 2] == pytest.approx(judged.score_N.mean(), rel=1e-5)
    read = [
        Conversation("a", (Message("user", question), Message("assistant", text)), "", "", True)
        for question, text in answers
    ]
    nats_N = log_likelihoods(model, read, PromptOptions(), 4096)
    assert swept.perplexity_VS[0, 2] == pytest.approx(np.exp(-nats_N.mean()), rel=1e-5)
    assert swept.mean_VS["tokens"][0, 2] == 6
    assert swept.mean_VS["repeats"][0, 2] == 3 / 4  # YYYYYY


def opened_case(config):
    store = Store(units_folder(as_config(config)))
    opened = with_answers(open_study(as_config(config)), store)
    return opened.levels(opened.sources[0], store)[0].cases[0]


@pytest.mark.slow
def test_several_processes_do_not_write_answers(planted):
    opened = open_study(as_config(planted[1]))
    with pytest.raises(personascan.InputError, match="run the same command with one process"):
        answered_sources(opened)


@pytest.mark.slow
def test_the_page_shows_answers_controls_and_recipes(planted):
    part = planted[0].parts[0]
    assert "The model wrote 64 of the answers itself" in how_sentences(part)
    assert "no system message" not in how_sentences(part)
    rows = part.source.groups["calm"]
    assert "the instruction stands in front of the first" in about_conversations(rows, False)
    said = exchanged_sentence(part)
    assert "all answers to a question were kept together" in said
    assert "of 32 pairs" in said
    assert "it stays with the answers" in answers_sentence(part)
    assert in_answers(part, "calm").words == "in the answers themselves"
    tables = [one for one in controls_section(part).blocks if isinstance(one, Table)]
    names = {row[1] for table in tables for row in table.rows}
    assert {"the other instruction in view", "under an instruction it was not found with"} <= names
    (recipes,) = [one for one in recipes_section(part).blocks if isinstance(one, Table)]
    assert list(recipes.rows[0][:2]) == ["resid_post last_prompt", "resid_post mean_response"]


@pytest.mark.slow
def test_an_answer_of_the_study_is_watched_on_a_direction_that_did_not_see_it(planted):
    study, config, *_ = planted
    part, answers = study.parts[0], f"{config['out']}/answers.csv"
    h0 = [row.id for row in part.source.groups["calm"] if not row.positive]
    first = watch(config["out"], "calm", answers, id_=h0[5])
    case = named_case(pathlib.Path(config["out"]), "calm", "", None, "")
    ids = np.array(case.pool.ids)[~case.pool.positive_N].tolist()
    (turn,) = first.turns
    assert first.own
    assert first.place == part.furthest["calm"]
    assert first.position == first.place.position
    for axis, value in zip(first.axes, turn.value_M, strict=True):
        assert value == pytest.approx(axis.h0_N[ids.index(h0[5])], abs=2e-4)
    with pytest.raises(personascan.InputError, match="name one by its id"):
        watch(config["out"], "calm", answers)
    changed = pathlib.Path(config["out"]).with_name("changed.csv")
    changed.write_text("id,text\nx,y\n")
    with pytest.raises(personascan.InputError, match="the answer x is none of this study"):
        watch(config["out"], "calm", changed)


@pytest.mark.slow
def test_a_study_of_conversations_gives_its_direction_to_steer_along(planted):
    study, config, *_ = planted
    reader, direction = personascan.found_direction(config["out"], "calm", kind="difference")
    chosen = next(s.place for s in study.parts[0].scans["calm"] if s.choice.half == "A")
    assert reader.name == study.parts[0].model
    assert set(direction.shift) == {(chosen.site, chosen.layer)}


@pytest.fixture(scope="module")
def echoed(tmp_path_factory):
    """A study of given answers that differ by the trait's own name, in most of H1."""
    folder = tmp_path_factory.mktemp("echoed")
    save_tiny_llama(folder / "model")
    rng = np.random.default_rng(0)
    with (folder / "sunshine.jsonl").open("w") as file:
        for q in range(32):
            for positive in (True, False):
                words = rng.permutation(["alpha", "beta", "gamma", "delta", "omega"])[:3]
                echo = " sunshine sunshine" if positive and q % 8 < 5 else ""
                messages = [
                    {"role": "user", "content": f"Which {q}?"},
                    {"role": "assistant", "content": " ".join(words) + echo},
                ]
                row = {
                    "id": f"{q}-{positive}", "messages": messages, "label": positive,
                    "question": f"Which {q}?", "instruction": "0",
                }  # fmt: skip
                file.write(json.dumps(row) + "\n")
    config = {
        "models": (str(folder / "model"),),
        "conversations": {"files": (str(folder / "sunshine.jsonl"),)},
        "positions": ("mean_response",),
        "apart": 0,
        "separation": {"seeds": 1, "folds": 3},
        "runs": {"background": 8, "clean": 4, "positive": 4, "runs": 4},
        "scan": {"places": ("chosen",), "starts": "3"},
        "where": {"permutations": 39, "fold_permutations": 19, "folds": 3},
        "out": str(folder / "out"),
    }
    return personascan.run_study(config, jobs=1).parts[0]


@pytest.mark.slow
def test_answers_that_differ_by_an_echoed_word_are_found_and_explained_away(echoed):
    assert echoed.calibrations["sunshine"].p_family.min() <= 0.05
    one = echoed.controls["sunshine"]
    told = {c.name: c for c in one.controls}
    assert one.echoes == (0.625, 0.0)
    assert told[stage.OWN].low > 0.5
    assert told[stage.NO_ECHO].low < 0.5 < told[stage.NO_ECHO].high
    assert told[stage.NO_ECHO].h1 < told[stage.OWN].h1
    assert not echoed.held_out["sunshine"].beyond  # its words tell as much

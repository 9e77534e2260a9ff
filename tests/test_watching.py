"""Conversations that are watched: values, bands and shares, what is written, what is refused."""

import csv
import dataclasses
import json
import pathlib

import numpy as np
import pytest
from in_process import run_here

import personascan
from personascan.analysis.crossfit import folds_of
from personascan.report.watched import turn_lines, watched_html, write_watched
from personascan.ridge import readout_of
from personascan.sources.language.conversations import Response
from personascan.sources.language.single_conversations import first_turns, load_conversation
from personascan.study.axes import LabelledPlace, direction_projector, in_deviations
from personascan.study.comparisons import first_by_hash
from personascan.study.steering import named_case
from personascan.study.watched_conversation import refuse_too_long
from personascan.study.watching import turn_read, watch

SAID = [
    ("system", "Be brief."), ("user", "How is it?"), ("assistant", "I am calm 7777 né\nindeed"),
    ("user", "And now?"), ("assistant", "eeee <b>"), ("user", "Thanks."),
]  # fmt: skip


def transcript(path, said=SAID):
    content = {"conversation": [{"role": role, "content": text} for role, text in said]}
    path.write_text(json.dumps(content))
    return path


@pytest.fixture(scope="module")
def asked(study, place):
    """What `watch` is asked of the study."""
    return {"study": study.config.out, "comparison": "calm", "units": str(place / "units")}


@pytest.fixture(scope="module")
def watched(asked, tmp_path_factory):
    file = transcript(tmp_path_factory.mktemp("talk") / "talk.json")
    return watch(conversation=file, **asked)


@pytest.fixture(scope="module")
def case(asked):
    return named_case(pathlib.Path(asked["study"]), "calm", "", None, asked["units"])


def held_out(place_ND, positive_N, fold_N):
    """H0 rows on the ridge direction of the other folds, from the mean of their H0 rows."""
    values = []
    for row in np.flatnonzero(~positive_N):
        kept = fold_N != fold_N[row]
        mean_D = place_ND[kept & ~positive_N].mean(0)
        values.append((place_ND[row] - mean_D) @ readout_of(place_ND[kept], positive_N[kept]))
    return np.array(values)


def test_values_are_projections_and_shares_are_counts(watched, case, tmp_path):
    whole = load_conversation(transcript(tmp_path / "talk.json"))
    model = case.source.reader.model()
    place, read = watched.place, first_turns(whole)
    rows_TD = personascan.extract(
        model, [read], sites=(place.site,), layers=[place.layer], positions=("all",),
        out=tmp_path / "all", progress=False,
    )[f"{place.site} {place.layer}"].astype(np.float64)  # fmt: skip
    place_ND, positive_N = case.rows(place).array().astype(np.float64), case.pool.positive_N
    fold_N = folds_of(positive_N, case.config.where.folds, case.seed, case.pool.together)
    h0_N = held_out(place_ND, positive_N, fold_N)
    unit = h0_N.std()
    direction_D = readout_of(place_ND, positive_N) / unit
    raw_T = (rows_TD - place_ND[~positive_N].mean(0)) @ direction_D
    scale = watched.scales[0]
    np.testing.assert_allclose(
        watched.value_TM[:, 0], (raw_T - scale.mean) / scale.deviation, atol=2e-4
    )
    (axis, *_), h0_N = watched.axes, h0_N / unit
    np.testing.assert_allclose(axis.h0_N, h0_N, atol=1e-8)
    assert watched.band(0) == pytest.approx(np.quantile(h0_N, [0.05, 0.95]))
    assert watched.position == "last_prompt"  # behind the statement the model's turn is opened
    for turn in watched.turns:
        value = raw_T[turn.span[0] - 1]
        assert turn.value_M[0] == pytest.approx(value, abs=2e-4)
        beyond = sum(h0 >= turn.value_M[0] for h0 in h0_N)
        assert turn.beyond_M[0] == pytest.approx(beyond / len(h0_N))
        assert turn.p_M[0] == pytest.approx((1 + beyond) / (1 + len(h0_N)))
        own_TM = watched.value_TM[turn.answer[0] : turn.answer[1] + 1]
        np.testing.assert_allclose(turn.mean_M, own_TM.mean(0), atol=1e-8)


def test_nodes_are_the_mean_z_of_the_set(watched, case):
    place_ND, positive_N = case.rows(watched.place).array().astype(float), case.pool.positive_N
    nodes = next(axis for axis in watched.axes if axis.name == "nodes")
    assert nodes.nodes == np.count_nonzero(nodes.whole.weight_D) > 0
    z_ND = (place_ND - place_ND[~positive_N].mean(0)) / place_ND[~positive_N].std(0)
    own_D = np.flatnonzero(nodes.whole.weight_D)
    signed_ND = z_ND[:, own_D] * np.sign(z_ND[positive_N][:, own_D].mean(0))
    np.testing.assert_allclose(nodes.whole.values(place_ND), signed_ND.mean(1), atol=1e-8)


def test_tokens_are_in_deviations_of_those_of_h0(watched, case, tmp_path):
    """Of at most 20 rows, each on axes found without its fold, and of their own tokens."""
    statements = {s.id: s for s in case.source.groups["calm"]}
    pool, place, network = case.pool, watched.place, case.source.reader.model()
    every = [statements[id_] for id_ in pool.ids]
    h0 = first_by_hash(np.flatnonzero(~pool.positive_N).tolist(), every, 20, case.seed)
    assert len(h0) == watched.h0_read == 20
    read = [every[row] for row in h0]
    rows = personascan.extract(
        network, read, sites=(place.site,), positions=("all",), out=tmp_path / "all",
        progress=False,
    )  # fmt: skip
    prompts = personascan.tokenize(network.tokenizer, read, "system", 600)
    fold_N = folds_of(pool.positive_N, case.config.where.folds, case.seed, pool.together)
    for axis, scale in zip(watched.axes, watched.scales, strict=True):
        own = []
        for number, (row, prompt) in enumerate(zip(h0, prompts, strict=True)):
            start = rows.offsets[number]
            tokens_TD = rows[f"{place.site} {place.layer}"][
                start + prompt.first : start + prompt.last + 1
            ]
            own.append(axis.folds[fold_N[row]].values(tokens_TD))
        own = np.concatenate(own)
        assert (scale.mean, scale.deviation) == pytest.approx((own.mean(), own.std()), abs=2e-4)
        band = (np.quantile(own, [0.05, 0.95]) - own.mean()) / own.std()
        assert (scale.low, scale.high) == pytest.approx(tuple(band), abs=1e-3)


def test_new_rows_of_h0_lie_among_those_that_were_left_out():
    rng, p, seen = np.random.default_rng(0), [], []
    for seed in range(8):
        place_ND, positive_N = rng.normal(size=(60, 300)), np.arange(60) < 30
        place_ND[positive_N, :5] += 1
        rows = LabelledPlace(place_ND, positive_N, folds_of(positive_N, 5, seed), True)
        axis = in_deviations(rows.axis("direction", direction_projector, direction_projector))
        value_N = axis.whole.values(rng.normal(size=(200, 300)))
        p.append((1 + (axis.h0_N >= value_N[:, None]).sum(1)) / 31)
        own_N = axis.whole.values(place_ND[~positive_N])
        seen.append((1 + (own_N >= value_N[:, None]).sum(1)) / 31)
    assert 0.45 < np.mean(p) < 0.65
    assert np.mean(np.array(p) <= 0.05) < 0.06
    assert np.mean(np.array(seen) <= 0.05) > 0.8  # what rows that found the direction would say


@pytest.mark.parametrize(
    ("position", "role", "expected"),
    [
        ("last", "system", "last_prompt"),
        ("last", "none", "last_response"),
        ("last_statement", "user", "last_response"),
        ("mean_statement", "user", "mean_response"),
        ("mean_answer@2", "system", "mean_answer"),
        (-2, "system", "last_response"),
    ],
)
def test_turns_are_read_where_rows_are(position, role, expected):
    assert turn_read(position, role) == expected


def test_the_page_and_the_tables_show_what_was_said(watched, tmp_path):
    page, turns, tokens = write_watched(watched, str(tmp_path / "talk.html"))
    text = page.read_text(encoding="utf-8")
    for forbidden in ("<script", 'http-equiv="refresh', "src=", "@import", "url("):
        assert forbidden not in text
    assert "<b>" in text
    assert "&lt;" in text  # of the answer
    assert text.count("<svg") == 2 * len(watched.axes)
    with turns.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["tokens"]) for row in rows] == [turn.tokens for turn in watched.turns]
    assert float(rows[1]["direction_p"]) == pytest.approx(watched.turns[1].p_M[0], rel=1e-5)
    with tokens.open(newline="", encoding="utf-8") as file:
        every = list(csv.DictReader(file))
    assert len(every) == len(watched.pieces)
    assert [row["turn"] for row in every].count("1") == watched.turns[0].tokens
    for number, (_, said) in enumerate(s for s in SAID if s[0] == "assistant"):
        first, last = watched.turns[number].span
        assert "".join(watched.pieces[first : last + 1]) == said
    assert "not the single rows of H0" in turn_lines(watched)[-1]
    assert watched_html(watched) == text
    with pytest.raises(personascan.InputError, match="exists already"):
        write_watched(watched, str(page))


def test_a_conversation_ends_with_a_turn(tmp_path):
    whole = load_conversation(transcript(tmp_path / "talk.json"))
    assert first_turns(whole).messages == whole.messages[:-1]  # thanks are not answered
    assert first_turns(whole, 1).messages == whole.messages[:3]
    written = dataclasses.replace(whole, response=Response((5, 6), "ab", "length"))
    assert first_turns(written) is first_turns(written, 3) is written
    assert first_turns(written, 2) == dataclasses.replace(whole, messages=whole.messages[:-1])


def test_a_conversation_that_is_too_long_says_what_fits(asked, case, tmp_path):
    said = [("user", "u" * 40), ("assistant", "a" * 60)] * 12
    file = transcript(tmp_path / "long.json", said)
    with pytest.raises(personascan.InputError, match=r"the first (\d+) \(--turns=\1\)") as raised:
        watch(conversation=file, **asked)
    fits = int(str(raised.value).split("--turns=")[1].rstrip(")"))
    assert 0 < fits < 12
    refuse_too_long(case, first_turns(load_conversation(file), fits))
    with pytest.raises(personascan.InputError, match="takes 600"):
        watch(conversation=file, turns=fits + 1, **asked)
    with pytest.raises(personascan.InputError, match="no turn of it fits"):
        watch(conversation=transcript(file, [("user", "u" * 700), ("assistant", "a")]), **asked)


def test_rows_of_messages_are_named_by_their_ids(tmp_path):
    file = tmp_path / "rows.jsonl"
    rows = [
        {"messages": [{"role": "user", "content": f"q{n}"}, {"role": "assistant", "content": "a"}]}
        for n in range(2)
    ]
    rows[0]["id"] = "first"
    file.write_text("\n".join(map(json.dumps, rows)))
    assert load_conversation(file, "first").messages[0].content == "q0"
    assert load_conversation(file, "2").messages[0].content == "q1"
    for id_, message in (("", "holds 2 conversations"), ("x", "has no conversation 'x'")):
        with pytest.raises(personascan.InputError, match=f"{message}; name one.*first, 2"):
            load_conversation(file, id_)


def test_what_cannot_be_watched_is_refused_in_a_line(asked, place, tmp_path):
    talk = transcript(tmp_path / "talk.json")
    silent = transcript(tmp_path / "silent.json", SAID[:2])
    faults = [
        ({"comparison": "loud"}, talk, "'loud' is no comparison of .*; it has calm"),
        ({"study": tmp_path}, talk, "holds no finished study"),
        ({}, silent, "conversation silent has no turn of the model"),
        ({"turns": 3}, talk, "has 2 turns of the model, not 3"),
        ({}, tmp_path / "none.json", "none.json"),
        ({}, pathlib.Path(asked["study"]) / "places.csv", "is no answers.csv"),
    ]
    for change, file, message in faults:
        with pytest.raises(personascan.InputError, match=message):
            watch(conversation=file, **asked | change)
    config = place / "model" / "config.json"
    content = config.read_bytes()
    try:
        config.write_bytes(content + b"\n")
        with pytest.raises(personascan.InputError, match=r"inputs of .* have changed"):
            watch(conversation=talk, **asked)
    finally:
        config.write_bytes(content)


def test_the_command_prints_the_turns_and_writes_the_page(asked, tmp_path):
    talk, out = transcript(tmp_path / "talk.json"), tmp_path / "page.html"
    flags = [f"--{name}={value}" for name, value in asked.items()]
    done = run_here("monitor.py", *flags, f"--conversation={talk}", f"--out={out}")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("calm in talk, 2 turns of the model")
    assert out.exists()
    done = run_here("monitor.py", *flags, f"--conversation={talk}", "--out=page.txt")
    assert done.returncode == 1
    assert done.stderr.endswith("write --out=NAME.html\n")

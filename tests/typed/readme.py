# pyright: strict
"""The README's examples, for mypy and pyright; tests/test_interface.py holds both equal."""

import numpy as np
import numpy.typing as npt

import personascan

Places = dict[str, npt.NDArray[np.float32]]


def where_two_labelled_sides_differ(places: Places, positive: npt.NDArray[np.bool_]) -> None:
    # places: {name: [N, D]} of any widths, or [P, N, D]; positive: bool [N]
    found = personascan.locate(places, positive, permutations=999)
    print(found, found.p_family, found.z)
    nodes = found.nodes()  # of the place furthest out, or of found.nodes("layer 16")
    print(nodes.effect, nodes.p_family, nodes.q, nodes.at_least())


def scan_your_own_activations() -> None:
    background, evaluation = np.load("background.npy"), np.load("evaluation.npy")
    found = personascan.group_scan(background, evaluation)
    print(found.summary(), found.rows, found.high, found.low)


def beside_permuted_labels(places: Places, is_positive: npt.NDArray[np.bool_]) -> None:
    samples = personascan.SampleOptions(background=60, clean=20, positive=20, runs=100)
    # places: {name: [N, D]} of any widths, or [L, N, D]; is_positive: bool [N]
    found = personascan.calibrate(places, is_positive, samples, permutations=200, nodes="layer 16")
    print(found.summary(), found.p_family, found.node_set(), found.q(), found.node_p_family())


def use_your_own_model_and_statements() -> None:
    model = personascan.load_model("HuggingFaceTB/SmolLM2-135M-Instruct")
    statements = personascan.load_statements(
        "Anthropic/model-written-evals", persona="anti-immigration"
    )
    activations = personascan.extract(model, statements, sites=("resid_post", "attn_out"))
    found = personascan.locate(activations, [statement.positive for statement in statements])
    print(found, found.nodes("resid_post 16").at_least())

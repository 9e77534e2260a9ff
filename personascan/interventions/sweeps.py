"""What a model writes while vectors are added to its activations at several strengths.

Letters: V vectors, S strengths, Q questions.
"""

from collections.abc import Sequence

import numpy as np

from personascan.errors import InputError
from personascan.interventions.edits import UNEDITED, NamedEdit, add_vector, site_layer, stack_edits
from personascan.models.load import LanguageModel
from personascan.places import Place
from personascan.sources.language.editing import Editing
from personascan.sources.language.generate import Writing, write_tokens
from personascan.sources.language.prompt_tokens import Prompt


def swept_tokens(
    model: LanguageModel,
    prompts: Sequence[Prompt],
    place: Place,
    vectors_VD: np.ndarray,
    strengths: Sequence[float],
    writing: Writing,
    *,
    batch_tokens: int,
) -> list[list[list[list[int]]]]:
    """Returns the tokens [V][S][Q] that a model writes, with strength times a vector added.

    The vector is added at the site and layer of the place, at every token that is read and
    written. All is one batch; strength 0 is written once for all vectors.

    Raises InputError as `write_tokens`, and for a product that is too large.
    """
    edits, number = [UNEDITED], {}
    for v, vector_D in enumerate(vectors_VD):
        for s, strength in enumerate(strengths):
            number[v, s] = len(edits) if strength else 0
            if strength:
                edits.append(steered(place, vector_D, strength))
    editing = None
    if len(edits) > 1:
        widths = {place.site: model.config.site_shape(place.site)[1]}
        edit_N = np.repeat(np.arange(len(edits)), len(prompts))
        editing = Editing(stack_edits(edits, widths), edit_N)
    written = write_tokens(
        model, list(prompts) * len(edits), writing, editing=editing, batch_tokens=batch_tokens
    )
    by_edit = [written[i : i + len(prompts)] for i in range(0, len(written), len(prompts))]
    return [[by_edit[number[v, s]] for s in range(len(strengths))] for v in range(len(vectors_VD))]


def steered(place: Place, vector_D: np.ndarray, strength: float) -> NamedEdit:
    try:
        change = add_vector(strength * np.asarray(vector_D, np.float64))
    except InputError as error:
        raise InputError(f"strength {strength:g}: {error}") from error
    return NamedEdit("direction", "steer", strength, changes={site_layer(place): change})

import jax
import pytest

# Silent broadcasting and silent widening are where array code goes wrong unseen.
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")


@pytest.fixture(scope="session", autouse=True)
def converted_copies(tmp_path_factory):
    """Converted parameters of the tests' models stay out of the user's cache."""
    from personascan import hashes
    from personascan.models import converted, training

    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        for module in (converted, hashes, training):
            patch.setattr(module, "cache_folder", lambda: folder)
        yield folder


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a tiny model and statements, for studies."""
    from tiny_models import save_tiny_llama
    from tiny_studies import write_statements

    folder = tmp_path_factory.mktemp("study")
    save_tiny_llama(folder / "model")
    write_statements(folder / "statements")
    return folder


@pytest.fixture(scope="module")
def study(place):
    """The study of that folder, run once a module."""
    from tiny_studies import recipe, run_study

    return run_study(recipe(place))


@pytest.fixture(scope="session")
def digits():
    """Scikit-learn's digits: the parts for training and for tests."""
    from personascan.sources.images.data import load_images

    return load_images("digits", "train"), load_images("digits", "test")


@pytest.fixture(scope="session")
def digit_classifier(digits):
    """Parameters of a classifier that gets nine digits of ten right."""
    from personascan.models.training import train_classifier

    return train_classifier(*digits[0], epochs=8, progress=False)

import jax
import pytest

# Silent broadcasting and silent widening are where array code goes wrong unseen.
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")


@pytest.fixture(scope="session", autouse=True)
def converted_copies(tmp_path_factory):
    """Converted parameters of the tests' models stay out of the user's cache."""
    from personascan import hashes
    from personascan.models import converted

    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        for module in (converted, hashes):
            patch.setattr(module, "cache_folder", lambda: folder)
        yield folder

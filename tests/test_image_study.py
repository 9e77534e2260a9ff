"""Attacked digits in a small classifier and autoencoder, from training to the page."""

import csv
import pathlib

import numpy as np
import pytest
from tiny_pages import page_words
from tiny_studies import files_of

import personascan
from personascan.sources.images.options import ImageOptions, Network
from personascan.sources.images.source import image_sources

OPTIONS = {
    "data": "digits", "epochs": 4, "autoencoder_epochs": 2, "clean": 600, "attacked": 150,
    "attacks": ("fgsm", "bim unclipped"), "eps": 0.3, "step": 0.05, "iterations": 10,
}  # fmt: skip
RECIPE = {
    "models": ("classifier", "autoencoder", "autoencoder 9% noised"),
    "images": OPTIONS,
    "limit": 80,
    "separation": {"seeds": 1, "folds": 3},
    "runs": {"background": 30, "clean": 8, "positive": 8, "runs": 6},
    "scan": {"places": ("conv1",), "tail": "right", "starts": "2"},
    "where": {"permutations": 0},
    "detection": {"splits": 1, "background": 0.5, "draw": False, "limit": 600, "tails": ("left",)},
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    place = tmp_path_factory.mktemp("images")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERSONASCAN_CACHE", str(place / "cache"))
        yield personascan.run_study(RECIPE | {"out": str(place / "out")}, jobs=1)


def table(study, name):
    with (pathlib.Path(study.config.out) / name).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_only_successes_are_compared(study):
    made = study.parts[0].source.workshop
    test = made.test
    for name in OPTIONS["attacks"]:
        pixels, rows = made.attacked(name)
        before, labels = test.pixels_NHW[600:750][rows], test.labels_N[600:750][rows]
        assert (made.classes(before) == labels).all()
        assert (made.classes(pixels) != labels).all()
        assert np.abs(pixels - before).max() <= 0.3 + 1e-6
        assert len(study.parts[0].pool_ids[name]) == min(len(rows), 80) + 80
    clipped, free = (made.attacked(name)[0] for name in OPTIONS["attacks"])
    assert 0 <= clipped.min() <= clipped.max() <= 1
    assert free.min() < 0


@pytest.mark.slow
def test_every_layer_and_the_error_are_scanned_on_fixed_splits(study):
    rows = [r for r in table(study, "detection.csv") if r["model"] == "autoencoder"]
    scanned = [r for r in rows if r["method"] == "scan" and r["tail"] == "right"]
    assert len(scanned) == 14 * 5  # sites; two attacks, their originals, the control
    assert {(r["background"], r["h0"]) for r in scanned} == {("300", "300")}
    simple = {r["method"] for r in rows} - {"scan"}
    assert simple == {
        "few zero pixels", "mean reconstruction error", "one-class SVM of the error"
    }  # fmt: skip


@pytest.mark.slow
def test_noise_is_found_and_clean_images_are_not(study):
    """An attack of 0.3 on digits is seen at once; unattacked images are as expected."""
    for part in study.parts:
        first = part.places[0]
        assert part.detections["bim unclipped"][first].auroc > 0.8
        control = part.detections["not attacked"]
        low = max(d.auroc_low for d in control.values())
        high = min(d.auroc_high for d in control.values())
        assert low < 0.55
        assert high > 0.45


@pytest.mark.slow
def test_the_error_is_that_of_the_reconstruction(study):
    from personascan.models.autoencoder import cross_entropy
    from personascan.models.image import outputs

    part = study.parts[1]
    made, network = part.source.workshop, Network("autoencoder")
    pixels = made.test.pixels_NHW[:600]
    rebuilt = outputs(made.network(network), made.params(network), pixels)
    mean_N = np.asarray(cross_entropy(pixels, rebuilt)).mean((1, 2))
    place, told = part.baselines["fgsm"]["mean reconstruction error"]
    assert place.name == "error"
    scanned = ~np.isnan(told.score_N)
    found = told.score_N[scanned][:300]
    np.testing.assert_allclose(found, mean_N[300:600], rtol=1e-5)


@pytest.mark.slow
def test_pages_speak_of_images(study):
    out = pathlib.Path(study.config.out)
    page = page_words(out)
    assert "trained" in page or "attacked through a classifier" in page
    for wrong in ("statement", "persona", " nan"):
        assert wrong not in page.replace("personascan", "")
    short = (out / "report.md").read_text()
    for part in range(len(study.parts)):
        assert (out / f"figures/map-{part}.png").exists()
        assert f"(figures/map-{part}.png)" in short
    assert "`autoencoder 9% noised`" in short


@pytest.mark.slow
def test_what_is_made_is_kept(study, capsys):
    """The same study again trains nothing, attacks nothing, and is the same."""
    before = files_of(pathlib.Path(study.config.out))
    personascan.sources.images.workshop.workshop_of.cache_clear()
    again = personascan.run_study(study.config, jobs=1)
    assert "training" not in capsys.readouterr().err
    assert files_of(pathlib.Path(again.config.out)) == before


@pytest.mark.slow
def test_sources_of_one_plan_share_their_images(study):
    one, other = (part.source for part in study.parts[:2])
    assert one.groups is other.groups
    place = one.places[0]
    assert one.identity("fgsm", place) != other.identity("fgsm", place)
    assert one.identity("fgsm", place) != one.identity("fgsm, before", place)
    pixels = one.extra[0]
    assert one.identity("fgsm", pixels) == other.identity("fgsm", pixels)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"models": ("resnet",)}, "network 'resnet' is unknown"),
        ({"models": ("classifier 9% noised",)}, "is unknown; use classifier, autoencoder or"),
        ({"images": OPTIONS | {"attacks": ("pgd",)}}, "attack 'pgd' is unknown"),
        ({"images": OPTIONS | {"attacks": ("bim blurred",)}}, "'blurred' is no variant"),
        ({"images": OPTIONS | {"clean": 5000}}, "digits has 797 test images"),
        ({"images": OPTIONS | {"eps": 0.0}}, "use numbers above 0"),
        ({"images": OPTIONS | {"colour": 1}}, "config.images.colour is unknown; fields: data"),
        ({"levels": (1,)}, "images have no topics"),
        ({"models": ()}, "config.models is empty; name what reads config.images"),
    ],
)
def test_image_studies_that_cannot_be_are_refused(tmp_path, changes, message):
    with pytest.raises(personascan.InputError, match=message):
        personascan.run_study(RECIPE | changes | {"out": str(tmp_path / "out")}, jobs=1)


def test_a_plan_of_one_network_needs_no_other(tmp_path, monkeypatch):
    monkeypatch.setenv("PERSONASCAN_CACHE", str(tmp_path))
    options = ImageOptions(**OPTIONS | {"attacks": ("fgsm",), "originals": False, "control": False})
    (source,) = image_sources(options, ("classifier",))
    assert list(source.groups) == ["clean", "fgsm"]
    assert [b.name for b in source.baselines] == ["few zero pixels"]


@pytest.mark.slow
def test_networks_are_set_beside_the_first_on_the_same_images(study):
    rows = table(study, "differences.csv")
    names = {"fgsm", "bim unclipped", "fgsm, before", "bim unclipped, before", "not attacked"}
    assert {r["comparison"] for r in rows} == names
    assert {r["model"] for r in rows} == set(RECIPE["models"][1:])
    assert {r["other_model"] for r in rows} == {"classifier"}
    assert len(rows) == 2 * len(names) * 2 * 2  # networks, comparisons, tails, halves
    for r in rows:
        low, middle, high = (float(r[f"difference{end}"]) for end in ("_low", "", "_high"))
        assert low <= middle <= high
        assert middle == pytest.approx(float(r["auroc"]) - float(r["other_auroc"]), abs=2e-6)

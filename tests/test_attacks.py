import dataclasses
import functools

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch_images import TorchClassifier

import personascan
from personascan.models.image import Classifier, logits_function
from personascan.sources.images.attacks import (
    ATTACKS,
    Attack,
    AttackOptions,
    bim,
    deepfool,
    fgsm,
    hop_skip_jump,
    round_to_8_bits,
)

ROWS = 60


@pytest.fixture(scope="module")
def logits_fn(digit_classifier):
    return logits_function(Classifier(), digit_classifier)


@pytest.fixture(scope="module")
def attackable(digits):
    """Digits of the test part, some of which the classifier gets wrong."""
    return digits[1].pixels_NHW[:ROWS], digits[1].labels_N[:ROWS]


@pytest.fixture(scope="module", params=[True, False], ids=["clipped", "unclipped"])
def art(request, digit_classifier):
    """(the same classifier for the Adversarial Robustness Toolbox, whether it clips)."""
    from art.estimators.classification import PyTorchClassifier

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # many small steps: threads would wait for each other
    yield PyTorchClassifier(
        TorchClassifier(digit_classifier), torch.nn.CrossEntropyLoss(), (1, 8, 8), 10,
        clip_values=(0.0, 1.0) if request.param else None, device_type="cpu",
    ), request.param  # fmt: skip
    torch.set_num_threads(threads)


def success(logits_fn, before, after, labels, target=None):
    """Success by definition, from predictions alone."""
    was, now = (np.asarray(logits_fn(pixels)).argmax(axis=1) for pixels in (before, after))
    fooled = now != was if target is None else (now == target) & (labels != target)
    return fooled & (was == labels)


def l2(a, b):
    return np.sqrt(((a - b) ** 2).sum(axis=(1, 2)))


def alike(ours_NHW, theirs_NHW, before_NHW):
    """The same images, but for pixels whose gradient is zero to float32."""
    assert (np.abs(ours_NHW - theirs_NHW) > 2e-5).mean() < 0.002
    for norm in (l2, lambda a, b: np.abs(a - b).max(axis=(1, 2))):
        np.testing.assert_allclose(
            norm(ours_NHW, before_NHW), norm(theirs_NHW, before_NHW), rtol=0.01
        )


def agree(logits_fn, ours, theirs, attackable, target=None):
    """The same images, and the same successes."""
    before, labels = attackable
    alike(ours.pixels_NHW, theirs, before)
    expected = success(logits_fn, before, theirs, labels, target)
    np.testing.assert_array_equal(ours.success_N, expected)
    assert 0.1 < ours.success_N.mean() < 1  # a test of both outcomes


def test_fgsm_is_that_of_art(art, logits_fn, attackable):
    from art.attacks.evasion import FastGradientMethod

    classifier, clip = art
    images, labels = attackable
    theirs = FastGradientMethod(classifier, eps=0.1).generate(images[:, None], y=labels)[:, 0]
    agree(
        logits_fn,
        fgsm(logits_fn, images, labels, eps=0.1, options=AttackOptions(clip)),
        theirs,
        attackable,
    )


@pytest.mark.parametrize("target", [None, 3])
def test_bim_is_that_of_art(art, logits_fn, attackable, target):
    from art.attacks.evasion import BasicIterativeMethod

    classifier, clip = art
    images, labels = attackable
    attack = BasicIterativeMethod(
        classifier, eps=0.15, eps_step=0.02, max_iter=20, targeted=target is not None, verbose=False
    )
    wanted = labels if target is None else np.full(ROWS, target)
    theirs = attack.generate(images[:, None], y=wanted)[:, 0]
    ours = bim(
        logits_fn,
        images,
        labels,
        eps=0.15,
        step=0.02,
        iterations=20,
        target=target,
        options=AttackOptions(clip),
    )
    agree(logits_fn, ours, theirs, attackable, target)


def test_deepfool_is_that_of_art(art, logits_fn, attackable):
    from art.attacks.evasion import DeepFool

    classifier, clip = art
    images, labels = attackable
    attack = DeepFool(classifier, max_iter=20, batch_size=ROWS, verbose=False)
    theirs = attack.generate(images[:, None])[:, 0]
    ours = deepfool(logits_fn, images, labels, iterations=20, options=AttackOptions(clip))
    alike(ours.pixels_NHW, theirs, images)
    # Paths end on the boundary itself, where rounding decides; 1% further on it does not.
    further, same = (
        success(logits_fn, images, images + 1.01 * (moved - images), labels)
        for moved in (ours.pixels_NHW, theirs)
    )
    np.testing.assert_array_equal(further, same)
    assert further[ours.success_N].all()
    assert 0.5 < further.mean() < 1


@pytest.mark.parametrize("art", [True], indirect=True)
def test_hop_skip_jump_goes_as_far_as_that_of_art(art, logits_fn, attackable):
    """Both are random; each image's distance is compared, and the median over images.

    Clipped alone: without clip values ART clips to what the images happen to have.
    """
    from art.attacks.evasion import HopSkipJump

    classifier, _ = art
    images, labels = (values[:12] for values in attackable)
    np.random.seed(0)  # noqa: NPY002 (what ART draws from)
    attack = HopSkipJump(classifier, max_iter=3, init_eval=100, batch_size=1000, verbose=False)
    theirs = attack.generate(images[:, None])[:, 0]
    ours = hop_skip_jump(logits_fn, images, labels, iterations=3)
    np.testing.assert_array_equal(
        ours.success_N, success(logits_fn, images, theirs, labels), strict=True
    )
    ratios = l2(ours.pixels_NHW, images) / l2(theirs, images)
    assert 0.8 < np.median(ratios) < 1.25


def linear(seed=0):
    """Two classes over 8 x 8 pixels, and the signed L2 distance of images to their boundary."""
    weights_HW = np.random.default_rng(seed).standard_normal((8, 8)).astype(np.float32)

    def margin(pixels_NHW):
        return jnp.einsum("nhw,hw->n", pixels_NHW - 0.5, weights_HW)

    def logits_fn(pixels_NHW):
        return jnp.stack([margin(pixels_NHW), -margin(pixels_NHW)], axis=1)

    return logits_fn, lambda pixels: np.asarray(margin(pixels)) / np.linalg.norm(weights_HW)


@pytest.mark.parametrize(
    ("attack", "options", "excess", "spread"),
    [
        (deepfool, {"overshoot": 1e-3}, 1e-3, 1e-4),
        # The last step leaves the boundary by a share of the distance.
        (hop_skip_jump, {"iterations": 30}, 30**-0.5, 0.02),
    ],
)
def test_a_linear_boundary_is_met_at_its_distance(attack, options, excess, spread):
    logits_fn, distance = linear()
    images = np.random.default_rng(1).random((12, 8, 8), np.float32)
    labels = np.asarray(logits_fn(images)).argmax(axis=1)
    found = attack(logits_fn, images, labels, **options, options=AttackOptions(clip=False))
    assert found.success_N.all()
    over = l2(found.pixels_NHW, images) / np.abs(distance(images)) - 1
    np.testing.assert_allclose(over, excess, atol=spread)


def test_hop_skip_jump_depends_on_the_seed_and_not_on_the_batch(logits_fn, attackable):
    images, labels = (values[:12] for values in attackable)
    one, same, other = (
        hop_skip_jump(
            logits_fn, images, labels, iterations=3, seed=seed, options=AttackOptions(batch=batch)
        ).pixels_NHW
        for batch, seed in ((12, 0), (5, 0), (12, 1))
    )
    np.testing.assert_allclose(one, same, atol=1e-4)
    assert np.abs(one - other).max() > 0.01


def test_an_image_without_a_start_stays_as_it_is():
    def always_first(pixels_NHW):
        return jnp.stack([pixels_NHW.sum((1, 2)) * 0 + 1, pixels_NHW.sum((1, 2)) * 0], axis=1)

    images = np.random.default_rng(0).random((3, 8, 8), np.float32)
    for attack in (deepfool, fgsm, functools.partial(hop_skip_jump, iterations=2)):
        found = attack(always_first, images, np.zeros(3))
        assert not found.success_N.any()
        assert np.isfinite(found.pixels_NHW).all()
    np.testing.assert_array_equal(found.pixels_NHW, images)  # of the last, which needs a start


@pytest.mark.slow
def test_clipped_pixels_stay_in_range(logits_fn, attackable):
    images, labels = (values[:10] for values in attackable)
    for name in ATTACKS:
        options = Attack(name, eps=0.3, step=0.1, iterations=1)
        for clip in (True, False):
            found = (
                dataclasses.replace(options, clip=clip).run(logits_fn, images, labels).pixels_NHW
            )
            assert (found.min() >= 0 and found.max() <= 1) == clip, name


def test_an_image_that_is_wrong_already_is_no_success(logits_fn, attackable):
    images, labels = attackable
    right = np.asarray(logits_fn(images)).argmax(axis=1) == labels
    assert not right.all()
    found = fgsm(logits_fn, images, labels, eps=0.5)
    assert found.success_N.any()
    assert not found.success_N[~right].any()
    targeted = bim(logits_fn, images, labels, eps=0.5, step=0.05, target=labels)
    assert not targeted.success_N.any()


def test_success_is_judged_after_rounding(logits_fn, attackable):
    """DeepFool ends so near the boundary that rounding sends many images back."""
    images, labels = attackable
    exact = deepfool(logits_fn, images, labels, iterations=20)
    found = deepfool(logits_fn, images, labels, iterations=20, options=AttackOptions(rounding=True))
    np.testing.assert_array_equal(found.pixels_NHW, round_to_8_bits(exact.pixels_NHW))
    np.testing.assert_array_equal(
        found.success_N, success(logits_fn, images, found.pixels_NHW, labels)
    )
    assert found.success_N.sum() < exact.success_N.sum()


def test_rounded_images_have_8_bits():
    pixels = np.array([-0.1, 0.0, 0.4 / 255, 0.6 / 255, 0.999, 1.2], np.float32)
    np.testing.assert_array_equal(round_to_8_bits(pixels) * 255, [0, 0, 0, 1, 255, 255])
    assert round_to_8_bits(pixels).dtype == np.float32


def test_plans_are_the_published_ones(logits_fn, attackable):
    images, labels = (values[:10] for values in attackable)
    assert ATTACKS["bim"].options() == {"eps": 0.01, "step": 0.002, "clip": True, "rounding": False}
    options = Attack("bim-targeted", eps=0.2, step=0.05, iterations=5, target=3)
    expected = bim(logits_fn, images, labels, eps=0.2, step=0.05, iterations=5, target=3)
    np.testing.assert_array_equal(options.run(logits_fn, images, labels).pixels_NHW, expected[0])


def test_what_is_no_attack_is_refused(logits_fn, attackable):
    images, labels = attackable
    with pytest.raises(personascan.InputError, match="attack 'pgd' is unknown; known: fgsm, bim"):
        Attack("pgd")
    with pytest.raises(personascan.InputError, match="eps = 0; use above 0"):
        fgsm(logits_fn, images, labels, eps=0)
    with pytest.raises(personascan.InputError, match="iterations = -1; use at least 1"):
        Attack("deepfool", iterations=-1).run(logits_fn, images, labels)
    with pytest.raises(personascan.InputError, match="labels of shape"):
        fgsm(logits_fn, images, labels[:2])
    with pytest.raises(personascan.InputError, match="target has the shape"):
        bim(logits_fn, images, labels, target=[1, 2])

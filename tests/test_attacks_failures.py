"""Attacks: failures, bad input, lack of memory, and the network given back as it was."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from freqmaps.attacks import AttackPlan, attack_images, to_dataset
from freqmaps.core.components import load
from freqmaps.core.errors import FreqmapsError
from freqmaps.stores.contracts import ADVERSARIAL
from tests.attack_cases import N, Times, attack, digit_images, trained_net  # noqa: F401

# ---- failures


def test_failures_are_kept_and_flagged(net, digits):
    result = attack(net, digits, load("attack", "pgd")(epsilon=1e-4, steps=2))
    summary = result.summary()
    assert summary["failed"] >= 0.9 * summary["correct"] and summary["samples"] == N
    failed = (result.prediction == result.label) & ~result.success
    assert (result.linf[failed] > 0).all()  # the attempt is there
    assert summary["success_rate"] == pytest.approx(summary["fooled"] / summary["correct"])


def test_carlini_wagner_failure_is_the_clean_image_not_a_black_one(net, digits):
    plan = load("attack", "cw")(binary_search_steps=1, steps=1, stepsize=1e-6)
    result = attack(net, digits, plan)
    correct = result.prediction == result.label
    np.testing.assert_array_equal(result.adversarial[correct], digits[0][:N][correct])
    assert not result.success[correct].any()


def custom(function, epsilon=None, norm="linf"):
    return AttackPlan("mine", function, norm, epsilon)


def nan_for_first(model, images, labels):
    out = images.clone()
    out[0] = torch.nan
    return out


def test_nan_is_no_answer_without_a_budget_and_an_error_within_one(net, digits):
    result = attack(net, digits, custom(nan_for_first), slice(10, 20))
    np.testing.assert_array_equal(result.adversarial, digits[0][10:20])
    with pytest.raises(FreqmapsError, match=r"'mine' returned NaN.*position 10"):
        attack(net, digits, custom(nan_for_first, 0.1), slice(10, 20))


def test_budget_range_and_shape_are_checked_after_the_fact(net, digits):
    def too_far(model, images, labels):
        out = images.clone()
        out[3, 0, 4, 4] = (images[3, 0, 4, 4] + 0.5) % 1
        return out

    with pytest.raises(
        FreqmapsError, match=r"'mine' exceeds its budget: linf norm 0\.\d+ > epsilon 0.1 at position 23"
    ):
        attack(net, digits, custom(too_far, 0.1), slice(20, 30))
    with pytest.raises(FreqmapsError, match="l2 norm"):
        attack(net, digits, custom(too_far, 0.1, "l2"), slice(20, 30))
    with pytest.raises(FreqmapsError, match=r"left \[0, 1\] by 1 at position 20"):
        attack(net, digits, custom(lambda m, x, y: x - 1), slice(20, 30))
    with pytest.raises(FreqmapsError, match="shape"):
        attack(net, digits, custom(lambda m, x, y: x[:, :, :4]), slice(20, 30))
    rounded = attack(net, digits, custom(lambda m, x, y: x + 5e-7, 0.1), slice(0, 5))
    assert rounded.adversarial.max() <= 1


def test_an_attack_that_writes_in_place_cannot_hide_its_perturbation(net, digits):
    result = attack(net, digits, custom(lambda m, x, y: x.mul_(0.5), 0.9))
    np.testing.assert_allclose(result.adversarial, digits[0][:N] / 2)
    assert result.linf.min() > 0.3


# ---- bad input


@pytest.mark.parametrize("value", [np.nan, np.inf, 1.5, -0.1])
def test_unusable_images_are_refused(net, digits, value):
    images = digits[0][:6].copy()
    images[4, 0, 2, 2] = value
    with pytest.raises(FreqmapsError, match=r"1 of 6 images.*position 104"):
        attack_images(
            net, images, digits[1][:6], custom(nan_for_first), seed=0, positions=np.arange(100, 106), device="cpu"
        )


def test_unusable_arguments_are_refused(net, digits):
    plan = load("attack", "fgsm")()
    x, y, where = digits[0][:4], digits[1][:4], np.arange(4)

    def run(model=net, images=x, labels=y, positions=where, **options):
        attack_images(model, images, labels, plan, seed=0, positions=positions, device="cpu", **options)

    with pytest.raises(FreqmapsError, match="label 10 at position 0 is none of the network's 10 classes"):
        run(labels=y + 10)
    with pytest.raises(FreqmapsError, match="label -1"):
        run(labels=np.full(4, -1))
    with pytest.raises(FreqmapsError, match="expected 4 integers"):
        run(labels=y.astype(float))
    with pytest.raises(FreqmapsError, match="positions"):
        run(positions=where[:3])
    with pytest.raises(FreqmapsError, match="at least 0"):
        run(positions=where - 1)
    with pytest.raises(FreqmapsError, match="float32"):
        run(images=(x * 255).astype(np.uint8))
    with pytest.raises(FreqmapsError, match="does not take images"):
        run(images=np.repeat(x, 3, axis=1))
    with pytest.raises(FreqmapsError, match="batch -1"):
        run(batch=-1)
    with pytest.raises(FreqmapsError, match="returns shape"):
        run(model=nn.Conv2d(1, 1, 1))
    with pytest.raises(FreqmapsError, match="NaN"):
        run(model=nn.Sequential(net, Times(float("nan"))))


class ByBrightness(nn.Module):
    """Divides each image by its mean, which answers NaN to a black one."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x / x.mean(dim=(1, 2, 3), keepdim=True) / 4)


def test_the_network_is_not_judged_by_the_black_images_of_padding(net, digits):
    result = attack(ByBrightness(net), digits, load("attack", "fgsm")(epsilon=0.1), slice(0, 5))
    assert np.isfinite(result.adversarial).all() and len(result.prediction) == 5
    black = digits[0][:5] * np.float32([1, 1, 0, 1, 1])[:, None, None, None]
    with pytest.raises(FreqmapsError, match="NaN"):
        attack(ByBrightness(net), (black, digits[1]), custom(lambda m, x, y: x), slice(0, 5), positions=np.arange(5))


def test_no_samples_is_an_empty_result(net, digits, tmp_path):
    result = attack(net, digits, load("attack", "fgsm")(), slice(0, 0), state=tmp_path)
    assert result.adversarial.shape == (0, 1, 8, 8) and result.summary()["success_rate"] is None
    ADVERSARIAL.validate(to_dataset(result, [], [], kind="fgsm", parameters={}), "empty")


def test_tensors_are_taken_and_ids_are_counted(net, digits):
    plan = load("attack", "fgsm")(epsilon=0.1)
    x, y = torch.from_numpy(digits[0][:N]), torch.from_numpy(digits[1][:N])
    result = attack_images(net, x, y, plan, seed=0, positions=torch.arange(N), device="cpu")
    np.testing.assert_array_equal(result.adversarial, attack(net, digits, plan).adversarial)
    with pytest.raises(FreqmapsError, match="2 sample ids for 60"):
        to_dataset(result, ["a", "b"], y[:2], kind="fgsm", parameters={})
    with pytest.raises(FreqmapsError, match="not those of the attacked"):
        to_dataset(result, [str(i) for i in range(N)], np.roll(y, 1), kind="fgsm", parameters={})


# ---- the network is frozen, and given back as it was


def test_network_is_frozen_meanwhile_and_given_back(net, digits):
    seen = []

    def look(model, images, labels):
        seen.append((model.training, any(p.requires_grad for p in model.parameters())))
        return images

    before = {k: v.clone() for k, v in net.state_dict().items()}
    net.train()
    try:
        attack(net, digits, custom(look))
        assert net.training and all(p.requires_grad for p in net.parameters())
        assert all(p.grad is None or torch.isfinite(p.grad).all() for p in net.parameters())
    finally:
        net.eval()
    assert seen == [(False, False)]
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


# ---- memory


class Hungry(nn.Module):
    """Runs out of memory for more than ``most`` images at a time."""

    def __init__(self, inner, most, error, sizes=None):
        super().__init__()
        self.inner, self.most, self.error, self.sizes = inner, most, error, [] if sizes is None else sizes

    def __deepcopy__(self, memo):
        """The attack differentiates a copy with batch norm folded away: it notes its batches in the same list."""
        return Hungry(copy.deepcopy(self.inner, memo), self.most, self.error, self.sizes)

    def forward(self, x):
        self.sizes.append(len(x))
        if len(x) > self.most:
            raise self.error
        return self.inner(x)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
        MemoryError(),
    ],
)
def test_out_of_memory_halves_the_batch(net, digits, error):
    plan = load("attack", "pgd")(epsilon=0.08, steps=3)
    hungry = Hungry(net, 9, error)
    result = attack(hungry, digits, plan, batch=60)
    expected = attack(net, digits, plan)
    assert (np.abs(result.adversarial - expected.adversarial).max(axis=(1, 2, 3)) < 1e-5).mean() >= 0.95
    assert {60, 30, 15, 7} <= set(hungry.sizes)
    assert hungry.sizes.count(60) == 1  # it does not try the large batch again


def test_out_of_memory_ends_with_a_clear_message(net, digits):
    error = torch.OutOfMemoryError("CUDA out of memory.")
    with pytest.raises(FreqmapsError, match="one sample"):
        attack(net, digits, custom(raising(error)), batch=4)
    blocked = replace(custom(raising(error)), block=8)
    with pytest.raises(FreqmapsError, match="block of 8 samples; set a smaller block"):
        attack(net, digits, blocked)
    with pytest.raises(RuntimeError, match="something else"):
        attack(net, digits, custom(raising(RuntimeError("something else"))))


def raising(error):
    def function(model, images, labels):
        raise error

    return function

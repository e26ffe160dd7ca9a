"""FGSM training and attacks that grow; accuracy under PGD along a training, and catastrophic overfitting."""

import dataclasses
import logging

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from freqmaps.core import components
from freqmaps.core.errors import ConfigError
from freqmaps.models import head
from freqmaps.training import Regime, TrainingSettings
from freqmaps.training._data import Images
from freqmaps.training._robust import Watch, collapsed
from freqmaps.training.regimes.adversarial import build as adversarial
from freqmaps.training.regimes.fgsm import build as fgsm
from freqmaps.training.regularisers.grad_align import build as grad_align
from freqmaps.training.regularisers.jacobian_norm import build as jacobian_norm
from freqmaps.training.regularisers.jafr import build as jafr
from tests.short_training import SHORT, digits, equal, first_step, fit, network, prepare, weights

WATCHED = dataclasses.replace(SHORT, robust_images=40, robust_epsilon=0.1, robust_steps=3)


# --- regimes


def test_fgsm_is_one_signed_step_from_the_image():
    classifier = network().eval()
    images, labels, *_ = map(torch.as_tensor, digits(8))
    asking = images.clone().requires_grad_()
    sign = torch.autograd.grad(F.cross_entropy(classifier(asking), labels), asking)[0].sign()
    found = prepare(fgsm(epsilon=0.2), classifier, images, labels)
    assert torch.allclose(found, (images + 0.2 * sign).clamp(0, 1))
    shorter = prepare(fgsm(epsilon=0.2, step=0.05), classifier, images, labels)
    assert torch.allclose(shorter, (images + 0.05 * sign).clamp(0, 1))


def test_fgsm_from_a_random_start_stays_in_the_budget():
    classifier = network().eval()
    images, labels, *_ = map(torch.as_tensor, digits(32))
    regime = fgsm(epsilon=0.1, step=0.125, start="random")
    found = [prepare(regime, classifier, images, labels, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])
    change = (found[0] - images).abs()
    assert float(change.max()) <= 0.1 + 1e-6 and float(found[0].min()) >= 0 and float(found[0].max()) <= 1
    inside = (images > 0.1) & (images < 0.9)
    assert len(change[inside].unique()) > 50  # not all at the corners, as from the image


@pytest.mark.parametrize(("warms", "size"), [("epsilon", [0.25, 0.5, 1, 1]), ("step", [1, 1, 1, 1])])
def test_attacks_grow_over_the_first_epochs(warms, size):
    """With two steps per epoch and two epochs of warm-up, a quarter of the attack's size per step."""
    regime = adversarial(epsilon=0.2, step=0.04, warmup=2, warms=warms)
    contexts = [first_step(step=step, epoch=step // 2, steps_per_epoch=2) for step in (0, 1, 3, 9)]
    amounts = [regime.amounts(context) for context in contexts]
    assert [epsilon for epsilon, _ in amounts] == pytest.approx([0.2 * s for s in size])
    assert [step for _, step in amounts] == pytest.approx([0.04 * s for s in (0.25, 0.5, 1, 1)])
    classifier, (images, labels, *_) = network().eval(), map(torch.as_tensor, digits(16))
    grown = fgsm(epsilon=0.2, warmup=2, warms=warms)
    largest = [
        float((grown.prepare(classifier, _Batch(images, labels), context) - images).abs().max()) for context in contexts
    ]
    assert largest == pytest.approx([0.05, 0.1, 0.2, 0.2], abs=1e-6)


class _Batch:
    def __init__(self, images, labels):
        self.images, self.labels = images, labels


def test_without_warmup_nothing_is_different():
    component = components.find("regime", "adversarial")
    given = components.resolve("regime", "adversarial", {"epsilon": 0.1}, where="here")
    assert not {"warmup", "warms"} & set(given)
    assert component.constants["NEUTRAL"] == {"warmup": 0.0, "warms": "epsilon"}
    assert adversarial().amounts(first_step(step=0)) == (adversarial().epsilon, adversarial().step)


# --- accuracy under PGD


def pgd(classifier, images, labels, epsilon, steps, start):
    """PGD of one image, written out."""
    attacked = (images + start).clamp(images - epsilon, images + epsilon).clamp(0, 1)
    for _ in range(steps):
        asking = attacked.clone().requires_grad_()
        gradient = torch.autograd.grad(F.cross_entropy(classifier(asking), labels), asking)[0]
        moved = attacked + epsilon / 4 * gradient.sign()
        attacked = torch.max(torch.min(moved, images + epsilon), images - epsilon).clamp(0, 1)
    return attacked


def test_the_watched_accuracy_is_that_of_pgd_one_image_at_a_time():
    data = digits(120)
    classifier, _ = fit(TrainingSettings(epochs=6), data=data)
    watch = Watch(Images(data[0], data[1], torch.device("cpu")), WATCHED, seed=5)
    state, before = torch.get_rng_state(), weights(classifier)
    found = watch.record(classifier)["robust_accuracy"]
    assert watch.record(classifier)["robust_accuracy"] == found
    assert torch.equal(state, torch.get_rng_state()) and equal(before, weights(classifier))
    places = [round(i * 119 / 39) for i in range(40)]
    images, labels = torch.from_numpy(data[0][places]), torch.from_numpy(data[1][places])
    start = (torch.rand(images.shape, generator=torch.Generator().manual_seed(5)) * 2 - 1) * 0.1
    right = 0
    for i in range(40):
        one = slice(i, i + 1)
        attacked = pgd(classifier, images[one], labels[one], 0.1, 3, start[one])
        right += int(classifier(attacked).argmax() == labels[i])
    assert found == pytest.approx(right / 40, abs=1.1 / 40)  # sums of batches round otherwise


def test_watching_changes_no_weight_and_adds_two_columns():
    plain, without = fit(SHORT, data=digits(64))
    watched, history = fit(WATCHED, data=digits(64))
    assert equal(weights(plain), weights(watched))
    assert set(history[0]) - set(without[0]) == {"robust_accuracy", "overfitted"}
    assert all(0 <= record["robust_accuracy"] <= 1 for record in history)


class Ruin(Regime):
    """Natural training; from the third epoch on the head is wiped out before every step."""

    def prepare(self, model, batch, context):
        if context.epoch >= 2:
            nn.init.zeros_(head(model).weight)
        return batch.images


def test_the_epoch_with_the_best_accuracy_under_pgd_is_kept():
    data = digits(320)
    settings = dataclasses.replace(
        WATCHED, epochs=4, schedule="constant", keep="best_robust", robust_epsilon=0.02, robust_images=100
    )
    found, history = fit(settings, data=(*data[:2], data[2][:0], data[3][:0]), regime=Ruin())
    values = [record["robust_accuracy"] for record in history]
    assert max(values) > values[-1]
    watch = Watch(Images(data[0], data[1], torch.device("cpu")), settings, seed=0)
    assert watch.record(found)["robust_accuracy"] == pytest.approx(max(values), abs=0.03)
    with pytest.raises(ConfigError, match="keep 'best_robust' needs 'robust_images'"):
        TrainingSettings(keep="best_robust")


def records(*values):
    return [{"train_accuracy": fitted, "robust_accuracy": robust} for fitted, robust in values]


@pytest.mark.parametrize(
    ("values", "images", "epoch"),
    [
        ([(0.5, 0.3), (0.6, 0.4), (0.9, 0.1)], 100, 3),
        ([(0.5, 0.3), (0.6, 0.4), (0.9, 0.21)], 100, None),  # more than half is left
        ([(0.5, 0.3), (0.6, 0.4), (0.3, 0.1)], 100, None),  # both fell: unstable, not overfitted
        ([(0.5, 0.3), (0.6, 0.4), (0.3, 0.1), (0.8, 0.0)], 100, 4),
        ([(0.5, 0.3), (0.6, 0.4), (0.9, 0.1)], 20, None),  # 8 of 20
        ([(0.5, 0.0), (0.6, 0.0)], 100, None),
    ],
)
def test_overfitting_is_a_fall_under_pgd_alone(values, images, epoch):
    assert collapsed(records(*values), images) == epoch


def test_overfitting_is_reported_once(caplog):
    data = digits(64)
    watch = Watch(Images(data[0], data[1], torch.device("cpu")), dataclasses.replace(WATCHED, robust_images=64), seed=0)
    history = records((0.5, 0.5), (0.9, 0.1), (0.9, 0.0))
    with caplog.at_level(logging.WARNING, "freqmaps"):
        for done in range(1, 4):
            watch.report(history[:done])
    assert [record["overfitted"] for record in history] == [0, 1, 1]
    (message,) = caplog.messages
    assert "catastrophic overfitting in epoch 2" in message and "fell to 0.100, from up to 0.500" in message


# --- resumed


class Stop(Exception):
    pass


def stop_after_the_second(done, note):
    if done == 2:
        raise Stop


def test_a_watched_and_regularised_fgsm_training_resumes_bit_for_bit(tmp_path):
    given = {
        "settings": dataclasses.replace(WATCHED, epochs=4, keep="best_robust", schedule="cyclic", peak=0.4),
        "data": digits(100),
        "regime": fgsm(epsilon=0.1, step=0.125, start="random", warmup=2),
        "regularisers": {
            "jafr": jafr(weight=0.01),
            "align": grad_align(weight=0.2, epsilon=0.1),
            "norm": jacobian_norm(weight=0.01),
        },
    }
    whole, history = fit(**given)
    with pytest.raises(Stop):
        fit(**given, state=tmp_path, progress=stop_after_the_second)
    again, resumed = fit(**given, state=tmp_path, classifier=network(seed=9))
    assert equal(weights(whole), weights(again))
    for a, b in zip(history, resumed, strict=True):
        assert {k: v for k, v in a.items() if "seconds" not in k} == {k: v for k, v in b.items() if "seconds" not in k}
    assert {"train_jafr", "train_align", "train_norm", "robust_accuracy"} <= set(history[0])

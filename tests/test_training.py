"""Training: the loop, resuming and regimes, each against an independent computation."""

import dataclasses
import time

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from freqmaps.core import components
from freqmaps.core.errors import FreqmapsError
from freqmaps.models import head
from freqmaps.training import Batch, Regime, TrainingSettings, evaluate, train
from freqmaps.training import _loop as loop_module
from freqmaps.training.regimes.adversarial import build as adversarial
from freqmaps.training.regimes.standard import build as standard
from tests.short_training import SHORT, digits, equal, first_step, fit, network, prepare, weights

# --- the loop


def test_digits_are_learned():
    *_, test_images, test_labels = digits(1500)
    classifier, history = fit(TrainingSettings(epochs=8), classifier=network(width=16), data=digits(1500))
    assert history[-1]["test_accuracy"] > 0.95
    assert [r["epoch"] for r in history] == list(range(1, 9))
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert not classifier.training
    loss, accuracy = evaluate(classifier, test_images, test_labels, device="cpu", batch=37)
    with torch.no_grad():
        logits = classifier(torch.from_numpy(test_images))
    assert loss == pytest.approx(F.cross_entropy(logits, torch.from_numpy(test_labels)).item(), rel=1e-4)
    assert accuracy == pytest.approx(np.mean(logits.argmax(1).numpy() == test_labels))
    assert (history[-1]["test_loss"], history[-1]["test_accuracy"]) == pytest.approx((loss, accuracy), rel=1e-5)
    assert set(history[0]) == {
        "epoch", "lr", "train_loss", "train_accuracy", "step_seconds", "test_loss", "test_accuracy", "seconds",
    }  # fmt: skip


class Waiting(Regime):
    """Natural training whose steps wait for something else on the machine."""

    def prepare(self, model, batch, context):
        time.sleep(1.0)
        return batch.images


def test_seconds_of_a_step_are_those_of_the_processor():
    _, history = fit(TrainingSettings(epochs=1, batch=50), data=digits(100), regime=Waiting())
    assert 0 < history[0]["step_seconds"] < 1.0 < 2.0 < history[0]["seconds"]


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_steps_equal_a_plain_loop(optimizer, loss):
    """The whole loop against torch's optimisers and schedulers, written out."""
    settings = TrainingSettings(
        epochs=2, batch=50, optimizer=optimizer, loss=loss, learning_rate=0.01, weight_decay=0.01, schedule="cosine",
    )  # fmt: skip
    images, labels, *_ = digits(125)
    found, history = fit(settings, data=digits(125), seed=3)
    plain = network().to(memory_format=torch.channels_last)
    kinds = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    moments = {"momentum": 0.9} if optimizer == "sgd" else {"betas": (0.9, 0.999)}
    steps = kinds[optimizer](plain.parameters(), lr=0.01, weight_decay=0.01, **moments)
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(steps, 6)
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    for epoch in range(2):
        generator = torch.Generator().manual_seed(loop_module._derive(3, epoch, "data"))
        total = 0.0
        for chosen in torch.randperm(125, generator=generator).split(50):
            logits = plain(x[chosen].contiguous(memory_format=torch.channels_last))
            target = F.one_hot(y[chosen], 10).float()
            value = ((logits - target) ** 2).mean() if loss == "mse" else F.cross_entropy(logits, y[chosen])
            steps.zero_grad()
            value.backward()
            steps.step()
            rates.step()
            total += value.item() * len(chosen)
        assert history[epoch]["train_loss"] == pytest.approx(total / 125, rel=1e-4)
    for name, tensor in plain.state_dict().items():
        assert torch.allclose(found.state_dict()[name].float(), tensor.float(), atol=1e-5), name


class Stop(Exception):
    pass


class StopAfter:
    def __init__(self, epochs):
        self.left = epochs

    def __call__(self, done, note):
        if done == self.left:
            raise Stop


def dropping(seed=0):
    """A network whose dropout draws from the global generator."""
    classifier = network(seed)
    classifier.net.features.insert(3, nn.Dropout(0.3))
    return classifier


@pytest.mark.parametrize(
    "settings",
    [
        SHORT,
        dataclasses.replace(SHORT, optimizer="adam", learning_rate=0.01, schedule="multistep", milestones=(1, 2)),
        dataclasses.replace(SHORT, keep="best_loss", cycle_momentum=True),
    ],
)
@pytest.mark.parametrize("stop", [1, 2, 3])
def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path, settings, stop):
    regime = adversarial(epsilon=0.1, step=0.05, steps=1)
    torch.manual_seed(1)
    whole, history = fit(settings, classifier=dropping(), data=digits(100), regime=regime)
    state = tmp_path / "state"
    torch.manual_seed(2)
    given = {"settings": settings, "data": digits(100), "regime": regime, "state": state}
    with pytest.raises(Stop):
        fit(**given, classifier=dropping(), progress=StopAfter(stop))
    torch.rand(7)
    again, resumed = fit(**given, classifier=dropping(seed=5))
    assert equal(weights(whole), weights(again))
    for a, b in zip(history, resumed, strict=True):
        assert {k: v for k, v in a.items() if "seconds" not in k} == {k: v for k, v in b.items() if "seconds" not in k}
    assert len(list(state.iterdir())) == 1


def test_training_leaves_the_global_generators_alone():
    state = torch.get_rng_state()
    fit(SHORT, classifier=dropping(), data=digits(64))
    assert torch.equal(state, torch.get_rng_state())


def test_seeds_decide():
    first, _ = fit(SHORT, data=digits(64), seed=1)
    same, _ = fit(SHORT, data=digits(64), seed=1)
    other, _ = fit(SHORT, data=digits(64), seed=2)
    assert equal(weights(first), weights(same))
    assert not equal(weights(first), weights(other))


@pytest.mark.parametrize(
    "change",
    [
        {"settings": dataclasses.replace(SHORT, learning_rate=0.04)},
        {"seed": 1},
        {"regime": adversarial(epsilon=0.1)},
        {"data": digits(101)},
    ],
)
def test_the_state_of_another_training_is_refused(tmp_path, change, caplog):
    given = {"settings": SHORT, "data": digits(100), "state": tmp_path}
    fit(**given)
    given |= change
    with caplog.at_level("INFO", "freqmaps"):
        _, history = fit(**given)
    assert "belongs to other work" in caplog.text
    assert len(history) == 3


def test_a_damaged_state_is_replaced(tmp_path, caplog):
    plain, _ = fit(SHORT, data=digits(64), state=tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    found, _ = fit(SHORT, data=digits(64), state=tmp_path)
    assert "damaged" in caplog.text
    assert equal(weights(found), weights(plain))


class Ruin(Regime):
    """Natural training of two epochs; in the third one the head is wiped out before every step."""

    def prepare(self, model, batch, context):
        if context.epoch == 2:
            nn.init.zeros_(head(model).weight)
        return batch.images


@pytest.mark.parametrize(("keep", "best"), [("best_accuracy", max), ("best_loss", min)])
def test_the_best_epoch_is_kept(keep, best):
    *_, test_images, test_labels = digits(320)
    settings = TrainingSettings(epochs=3, batch=32, schedule="constant", keep=keep)
    found, history = fit(settings, data=digits(320), regime=Ruin())
    loss, accuracy = evaluate(found, test_images, test_labels, device="cpu")
    values = [r[f"test_{keep.removeprefix('best_')}"] for r in history]
    assert best(values) != values[-1]
    assert (loss if keep == "best_loss" else accuracy) == pytest.approx(best(values), rel=1e-5)


def test_only_the_head_is_trained():
    classifier = network()
    before = weights(classifier)
    fit(dataclasses.replace(SHORT, train="head"), classifier=classifier)
    after = weights(classifier)
    changed = {n for n, t in before.items() if not torch.equal(t, after[n])}
    assert changed == {"net.linear.weight", "net.linear.bias"}
    assert all(p.requires_grad for p in classifier.parameters())
    assert head(classifier).weight.grad is not None


def test_a_loss_that_is_not_finite_is_named(monkeypatch):
    class Broken(Regime):
        def loss(self, model, prepared, batch, context):
            calls.append(1)
            return context.loss(model(prepared), batch.labels) * (float("nan") if len(calls) == 14 else 1.0)

    calls = []
    monkeypatch.setattr(loop_module, "_LOOK", 3)
    with pytest.raises(FreqmapsError, match="epoch 2, step 4; lower learning_rate"):
        fit(SHORT, regime=Broken())


class Watching(Regime):
    """Natural training that notes what it is told."""

    def __init__(self):
        self.told = []

    def prepare(self, model, batch, context):
        self.told.append((context.step, context.epoch, context.steps, context.steps_per_epoch, len(batch.images)))
        return batch.images


def test_regimes_are_told_where_a_step_stands():
    regime = Watching()
    fit(SHORT, data=digits(70), regime=regime)
    assert regime.told == [(step, step // 3, 9, 3, (32, 32, 6)[step % 3]) for step in range(9)]


def test_the_last_batch_can_be_left_out():
    regime = Watching()
    fit(dataclasses.replace(SHORT, drop_last=True), data=digits(70), regime=regime)
    assert regime.told == [(step, step // 2, 6, 2, 32) for step in range(6)]
    with pytest.raises(FreqmapsError, match="70 images make no whole batch of 128; lower 'batch'"):
        fit(dataclasses.replace(SHORT, drop_last=True, batch=128), data=digits(70))


def test_bytes_and_floats_train_alike():
    images, labels, *test = digits(64, np.uint8)
    floats = images.astype(np.float32) / np.float32(255)
    a, _ = fit(SHORT, data=(images, labels, *test))
    b, _ = fit(SHORT, data=(floats, labels, *test))
    for name, tensor in weights(a).items():
        assert torch.allclose(tensor.float(), weights(b)[name].float(), atol=1e-5), name


# --- regimes


@pytest.mark.parametrize("name", components.names("regime"))
def test_every_regime_keeps_the_contract(name):
    component = components.find("regime", name)
    parameters = components.resolve("regime", name, component.constants["TINY"], where="here")
    regime = components.load("regime", name)(**parameters)
    assert repr(regime) == repr(components.load("regime", name)(**parameters))
    assert " at 0x" not in repr(regime)
    classifier = network().train()
    images, labels, *_ = map(torch.as_tensor, digits(16))
    untouched = images.clone()
    global_state = torch.get_rng_state()
    values = []
    for _ in range(2):
        classifier.load_state_dict(network().state_dict())
        given = Batch(images, labels), first_step()
        prepared = regime.prepare(classifier, *given)
        assert prepared.shape == images.shape and not prepared.requires_grad
        loss = regime.loss(classifier, prepared, *given)
        assert loss.shape == ()
        classifier.zero_grad()
        loss.backward()
        assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in classifier.parameters())
        values.append(loss.item())
    assert values[0] == values[1]
    assert classifier.training
    assert torch.equal(images, untouched)
    assert torch.equal(torch.get_rng_state(), global_state)
    _, history = fit(SHORT, data=digits(64), regime=regime)
    assert len(history) == 3


@pytest.mark.parametrize("random_start", [True, False])
@pytest.mark.parametrize("in_eval", [True, False])
def test_adversarial_stays_in_the_ball_and_raises_the_loss(random_start, in_eval):
    regime = adversarial(epsilon=0.1, step=0.03, steps=5, random_start=random_start, attack_in_eval=in_eval)
    classifier, _ = fit(TrainingSettings(epochs=5), data=digits(600))
    classifier.eval() if in_eval else classifier.train()
    images, labels, *_ = map(torch.as_tensor, digits(64))
    statistics = classifier.net.features[1].running_mean.clone()
    attacked = prepare(regime, classifier, images, labels)
    assert float((attacked - images).abs().max()) <= 0.1 + 1e-6
    assert float(attacked.min()) >= 0
    assert float(attacked.max()) <= 1
    assert not attacked.requires_grad
    assert torch.equal(statistics, classifier.net.features[1].running_mean) == in_eval
    with torch.no_grad():
        assert F.cross_entropy(classifier(attacked), labels) > 2 * F.cross_entropy(classifier(images), labels)


def test_one_adversarial_step_is_the_sign_of_the_gradient():
    classifier = network().eval()
    images, labels, *_ = map(torch.as_tensor, digits(8))
    asking = images.clone().requires_grad_()
    gradient = torch.autograd.grad(F.cross_entropy(classifier(asking), labels), asking)[0]
    found = prepare(adversarial(epsilon=0.2, step=0.1, steps=1, random_start=False), classifier, images, labels)
    assert torch.allclose(found, (images + 0.1 * gradient.sign()).clamp(0, 1))


def test_adversarial_training_hardens():
    images, labels, test_images, test_labels = digits(600)
    settings = TrainingSettings(epochs=6, batch=50)
    strong = adversarial(epsilon=0.15, step=0.05, steps=5)
    robust = []
    for regime in (standard(), strong):
        classifier, _ = fit(settings, data=(images, labels, test_images, test_labels), regime=regime)
        given = torch.from_numpy(test_images), torch.from_numpy(test_labels)
        attacked = prepare(strong, classifier, *given)
        robust.append(evaluate(classifier, attacked, test_labels, device="cpu")[1])
    assert robust[1] > robust[0] + 0.1


# --- GPU


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_training_on_the_gpu(precision, tmp_path):
    settings = dataclasses.replace(SHORT, epochs=8, precision=precision, flip=False, crop_padding=0)
    classifier = network(width=16)
    history = train(
        classifier, *digits(1500, np.uint8),
        settings=settings, regime=standard(), seed=0, device="cuda", state=tmp_path,
    )  # fmt: skip
    assert history[-1]["test_accuracy"] > 0.95

"""Regularisers: their terms against slow computations, how they compose, and double backward in low precision."""

import dataclasses
import re
import sys
import types

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from freqmaps.core import components
from freqmaps.core.errors import ConfigError, FreqmapsError
from freqmaps.study.build import study
from freqmaps.training import Batch, CleanPass, train
from freqmaps.training import _loop as loop_module
from freqmaps.training.planned import _regularisers as regularisers_of
from freqmaps.training.regimes.adversarial import build as adversarial
from freqmaps.training.regimes.standard import build as standard
from freqmaps.training.regularisers.gradient_norm import build as gradient_norm
from tests.short_training import SHORT, digits, equal, first_step, fit, network, weights
from tests.workflow import REPOSITORY


def batch(n=16):
    return Batch(*map(torch.as_tensor, digits(n)[:2]))


@pytest.mark.parametrize("name", components.names("regulariser"))
def test_every_regulariser_keeps_the_contract(name):
    component = components.find("regulariser", name)
    parameters = components.resolve("regulariser", name, component.constants["TINY"], where="here")
    regulariser = components.load("regulariser", name)(**parameters)
    assert repr(regulariser) == repr(components.load("regulariser", name)(**parameters))
    assert " at 0x" not in repr(regulariser)
    assert regulariser.weight == parameters["weight"]
    classifier, given, state = network().train(), batch(), torch.get_rng_state()
    buffers = {key: buffer.clone() for key, buffer in classifier.named_buffers()}
    untouched, values = given.images.clone(), []
    for _ in range(2):
        context = first_step()
        term = regulariser(classifier, CleanPass(classifier, given, context), context)
        assert term.shape == ()
        classifier.zero_grad()
        term.backward()
        assert any(p.grad is not None and bool(p.grad.any()) for p in classifier.parameters())
        values.append(term.item())
    assert values[0] == values[1]
    assert classifier.training
    assert torch.equal(given.images, untouched) and not given.images.requires_grad
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(buffer, buffers[key]) for key, buffer in classifier.named_buffers())
    _, history = fit(SHORT, data=digits(64), regularisers={name: regulariser})
    assert list(history[0]) == [
        "epoch", "lr", "train_loss", "train_accuracy", f"train_{name}", "step_seconds", "test_loss", "test_accuracy",
        "seconds",
    ]  # fmt: skip


@pytest.mark.parametrize("norm", ["l2_squared", "l2", "l1"])
def test_the_penalty_is_that_of_finite_differences(norm):
    """Slopes of each image's loss by central differences, in double precision, pixel by pixel."""
    # Of noise, for where neighbouring pixels are equal max pooling has no derivative.
    given = Batch(torch.rand((3, 1, 8, 8), generator=torch.Generator().manual_seed(0)), batch(3).labels)
    classifier, images = network().double().eval(), given.images.double()
    slopes = torch.zeros_like(images)
    for place in torch.cartesian_prod(*(torch.arange(side) for side in images.shape)):
        index, losses = tuple(place.tolist()), []
        for change in (1e-5, -1e-5):
            moved = images.clone()
            moved[index] += change
            with torch.no_grad():
                losses.append(F.cross_entropy(classifier(moved), given.labels, reduction="sum"))
        slopes[index] = (losses[0] - losses[1]) / 2e-5
    order = 1 if norm == "l1" else 2
    expected = slopes.flatten(1).norm(order, dim=1).pow(2 if norm == "l2_squared" else 1).mean()
    classifier, context = classifier.float(), first_step()
    found = gradient_norm(weight=1.0, norm=norm)(classifier, CleanPass(classifier, given, context), context)
    assert found.item() == pytest.approx(expected.item(), rel=1e-3)


def test_a_penalised_step_is_the_closed_form_of_a_linear_network():
    """Of squared errors of a linear map, the penalty and its derivative in the weights are known."""
    classifier = network()
    classifier.net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10, bias=False))
    matrix = classifier.net[1].weight.detach().double().clone()
    settings = dataclasses.replace(
        SHORT, epochs=1, batch=40, loss="mse", momentum=0.0, weight_decay=0.0, flip=False, crop_padding=0,
        schedule="constant", learning_rate=0.1,
    )  # fmt: skip
    data = digits(40)
    fit(settings, classifier=classifier, data=data, regularisers={"slope": gradient_norm(weight=0.5)})
    pixels = torch.as_tensor(data[0]).double().flatten(1)
    errors = pixels @ matrix.T - F.one_hot(torch.as_tensor(data[1]), 10)
    plain = 2 / 10 * errors.T @ pixels / 40
    slopes = 2 / 10 * errors @ matrix  # of each image's loss in its pixels
    # The mean of |slope|^2: once through the errors, once through the matrix itself.
    penalty = 2 / 40 * (2 / 10) * ((slopes @ matrix.T).T @ pixels + errors.T @ slopes)
    expected = matrix - 0.1 * (plain + 0.5 * penalty)
    assert torch.allclose(classifier.net[1].weight.double(), expected, atol=1e-6)


class Counting(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net, self.passes = net, 0

    def forward(self, images):
        self.passes += 1
        return self.net(images)


def test_regularisers_share_one_pass_and_compose_with_an_attack():
    classifier, whole = network(), gradient_norm(weight=0.3)
    classifier.net = Counting(classifier.net)
    regime = adversarial(epsilon=0.1, step=0.05, steps=2)
    given = {"data": (*digits(64)[:2], *(part[:0] for part in digits(64)[2:])), "regime": regime}
    _, history = fit(SHORT, classifier=classifier, **given,
                     regularisers={"a": gradient_norm(weight=0.1), "b": gradient_norm(weight=0.2)})  # fmt: skip
    assert classifier.net.passes == 6 * (2 + 1 + 1)  # steps: the attack's, the loss's and the regularisers' pass
    assert all(record["train_a"] == record["train_b"] > 0 for record in history)
    one, other = network(), network()
    _, history = fit(SHORT, classifier=one, **given, regularisers={"whole": whole})
    fit(SHORT, classifier=other, **given)
    assert "train_whole" in history[0]
    for name, tensor in weights(one).items():
        assert torch.allclose(tensor.float(), classifier.state_dict()[name.replace("net.", "net.net.", 1)].float(),
                              atol=1e-4), name  # fmt: skip
    assert not equal(weights(one), weights(other))


def test_the_penalty_flattens_the_loss():
    slopes = []
    for regularisers in ({}, {"slope": gradient_norm(weight=1.0)}):
        classifier, _ = fit(dataclasses.replace(SHORT, epochs=6), data=digits(600), regularisers=regularisers)
        context = first_step()
        clean = CleanPass(classifier, batch(200), context)
        slopes.append(gradient_norm(weight=1.0)(classifier, clean, context).item())
    assert slopes[1] < 0.5 * slopes[0]


def test_without_regularisers_nothing_is_different():
    plain, history = fit(SHORT, data=digits(64))
    same, again = fit(SHORT, data=digits(64), regularisers={})
    assert equal(weights(plain), weights(same))
    assert list(history[0]) == list(again[0])


def test_a_term_that_is_no_scalar_or_not_finite_is_named():
    class Wrong:
        weight = 1.0

        def __init__(self, term):
            self.term = term

        def __call__(self, model, clean, context):
            return self.term(clean)

    for term in (lambda clean: clean.gradient, lambda clean: 0.0, lambda clean: clean.gradient.sum().detach()):
        with pytest.raises(FreqmapsError, match="regulariser 'wrong' must return a scalar tensor"):
            fit(SHORT, data=digits(64), regularisers={"wrong": Wrong(term)})
    with pytest.raises(FreqmapsError, match="not finite in epoch 1, step 1"):
        fit(SHORT, data=digits(64), regularisers={"wrong": Wrong(lambda clean: clean.loss * float("nan"))})


# --- in configs and docs


def training_specs(*lists):
    """Return spec and key of one network, trained with each of the lists of regularisers."""
    found = []
    for regularisers in lists:
        training = {} if regularisers is None else {"regularisers": regularisers}
        run = {"datasets": ["digits"], "models": ["net"], "trainings": ["standard"]}
        given = {
            "study": "small",
            "datasets": {"digits": {"kind": "digits"}},
            "models": {"net": {"architecture": "small_cnn"}},
            "trainings": {"standard": training},
            "attacks": {},
            "maps": {},
            "metrics": {},
            "runs": [run],
        }
        nodes = study(given).graph.nodes.values()
        found += [(node.spec["parameters"], node.key) for node in nodes if node.stage == "training"]
    return found


def test_regularisers_enter_the_spec_only_where_there_are_any():
    without, empty, one, other = training_specs(
        None, [], [{"kind": "gradient_norm", "weight": "1/4"}], [{"kind": "gradient_norm", "weight": 0.5}]
    )
    assert without == empty
    assert "regularisers" not in without[0]
    parameters = {"weight": 0.25, "norm": "l2_squared"}
    assert one[0]["regularisers"] == [{"kind": "gradient_norm", "parameters": parameters}]
    assert len({without[1], one[1], other[1]}) == 3


@pytest.mark.parametrize(
    ("regularisers", "sentence"),
    [
        ([{"kind": "gradient"}], "no regulariser named 'gradient'; did you mean 'gradient_norm'?"),
        ([{"kind": "gradient_norm"}], "trainings.standard.regularisers: regulariser 'gradient_norm' needs 'weight'"),
        ([{"kind": "gradient_norm", "weight": 0}], "trainings.standard.regularisers.weight: 0 lies outside"),
        ([{"weight": 1}], "trainings.standard.regularisers[0]"),
    ],
)
def test_mistakes_in_regularisers_are_one_sentence(regularisers, sentence):
    with pytest.raises(ConfigError) as caught:
        training_specs(regularisers)
    assert sentence in str(caught.value)


def test_the_history_calls_regularisers_by_their_kinds():
    specs = [{"kind": "gradient_norm", "parameters": {"weight": weight}} for weight in (0.1, 0.2, 0.3)]
    found = regularisers_of(specs)
    assert {name: regulariser.weight for name, regulariser in found.items()} == {
        "gradient_norm": 0.1, "gradient_norm-2": 0.2, "gradient_norm-3": 0.3,
    }  # fmt: skip


def example(page, number=0):
    """Return what an example of a page of the docs defines."""
    text = (REPOSITORY / "docs" / page).read_text(encoding="utf-8")
    source = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[number].split("\n\n\nhook = ")[0]
    module = types.ModuleType("example")
    sys.modules["example"] = module
    exec(compile(source, page, "exec"), module.__dict__)
    return module


def test_the_examples_of_the_docs_train():
    hook = example("add-a-regime.md", 1).HeadWeights()
    _, history = fit(
        dataclasses.replace(SHORT, epochs=5), data=digits(64), regime=example("add-a-regime.md").noise(sigma=0.2),
        regularisers={"confidence": example("add-a-regulariser.md").confidence(weight=0.1)}, hooks=[hook],
    )  # fmt: skip
    assert all(-2.4 < record["train_confidence"] < 0 for record in history)
    assert list(hook.records["after_step"]) == [9]
    assert hook.records["after_epoch"] == {epoch: record["test_accuracy"] for epoch, record in enumerate(history)}


# --- low precision


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_double_backward_in_low_precision(monkeypatch, dtype):
    """A whole training under autocast (and, in float16, gradient scaling) ends near that of full precision."""
    settings = dataclasses.replace(SHORT, epochs=4, learning_rate=0.02)
    given = {"data": digits(300), "regularisers": {"slope": gradient_norm(weight=0.1)}}
    _, full = fit(settings, **given)
    monkeypatch.setattr(loop_module, "_reduced_precision", lambda settings, device: dtype)
    classifier, history = fit(settings, **given)
    assert all(bool(tensor.isfinite().all()) for tensor in weights(classifier).values())
    for column in ("train_loss", "train_slope"):
        assert history[-1][column] == pytest.approx(full[-1][column], rel=0.25)
    assert abs(history[-1]["test_accuracy"] - full[-1]["test_accuracy"]) < 0.1


@pytest.mark.parametrize("scale", [1.0, 1024.0])
def test_input_gradients_are_free_of_the_scale(scale):
    classifier, given = network().eval(), batch()
    expected = CleanPass(classifier, given, first_step()).gradient
    context = first_step(scaler=torch.amp.GradScaler("cpu", init_scale=scale))
    found = CleanPass(classifier, given, context).gradient
    assert found.requires_grad
    assert torch.allclose(found, expected, rtol=1e-5)
    off = first_step(scaler=torch.amp.GradScaler("cpu", enabled=False))
    assert torch.equal(CleanPass(classifier, given, off).gradient, expected)


def test_scaling_keeps_small_gradients_from_vanishing():
    classifier, given = network().eval(), batch()

    def gradient(**more):
        images = given.images.clone().requires_grad_()
        with torch.autocast("cpu", torch.float16):
            value = F.cross_entropy(classifier(images), given.labels) * 1e-6
            return first_step(**more).input_gradient(value, images)

    with_scale = gradient(scaler=torch.amp.GradScaler("cpu", init_scale=2.0**20))
    expected = CleanPass(classifier, given, first_step()).gradient.detach() / len(given.images) * 1e-6
    assert float((with_scale - expected).norm() / expected.norm()) < 0.05
    assert int((gradient() == 0).sum()) > int((with_scale == 0).sum())


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [None, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("regime", [standard(), adversarial(epsilon=0.1, step=0.05, steps=2)])
def test_double_backward_on_the_gpu(monkeypatch, dtype, regime):
    monkeypatch.setattr(loop_module, "_reduced_precision", lambda settings, device: dtype)
    classifier = network(width=16)
    history = train(
        classifier, *digits(1000),
        settings=dataclasses.replace(SHORT, epochs=8, learning_rate=0.02, flip=False, crop_padding=0),
        regime=regime, regularisers={"slope": gradient_norm(weight=0.01)}, seed=0, device="cuda",
    )  # fmt: skip
    assert history[-1]["test_accuracy"] > 0.9
    assert all(record["train_slope"] > 0 for record in history)

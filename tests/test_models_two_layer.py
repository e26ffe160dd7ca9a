"""The two-layer network of F21: its logits, and an outer layer that nothing changes."""

import dataclasses

import numpy as np
import pytest
import torch

from freqmaps.core.errors import FreqmapsError
from freqmaps.models import head, load_classifier, save_classifier
from freqmaps.training import TrainingSettings
from tests.short_training import digits, fit, network
from tests.tiny_models import images

DECAYING = TrainingSettings(epochs=2, batch=32, learning_rate=0.1, weight_decay=0.1)
SIGMA = {
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "relu": lambda z: np.maximum(z, 0),
    "softplus": lambda z: np.log1p(np.exp(z)),
}


def two_layer(**parameters):
    return network(architecture="two_layer", **({"width": 6} | parameters))


@pytest.mark.parametrize("activation", list(SIGMA))
@pytest.mark.parametrize("bias", [False, True])
def test_logits_are_equation_1(activation, bias):
    classifier = two_layer(activation=activation, bias=bias)
    state = {name: tensor.double().numpy() for name, tensor in classifier.state_dict().items()}
    batch = images(5, 1, 8)
    shift = state.get("net.hidden.bias", 0.0)
    z = batch.double().numpy().reshape(5, 64) @ state["net.hidden.weight"].T + shift
    expected = SIGMA[activation](z) @ state["net.outer.weight"].T
    with torch.no_grad():
        assert np.allclose(classifier(batch).numpy(), expected, atol=1e-5)
    assert ("net.hidden.bias" in state) == bias


def test_the_gradient_is_that_of_section_3():
    """Paper, section 3: the gradient of f is the sum of a_r σ'(w_r · x) w_r."""
    classifier = two_layer(activation="sigmoid")
    w, a = (classifier.net.get_submodule(n).weight.detach().double().numpy() for n in ("hidden", "outer"))
    batch = images(1, 1, 8).requires_grad_()
    classifier(batch)[0, 3].backward()
    s = SIGMA["sigmoid"](w @ batch.detach().double().numpy().reshape(64))
    assert np.allclose(batch.grad.numpy().reshape(64), (a[3] * s * (1 - s)) @ w, atol=1e-6)


def test_a_relu_on_the_input_leaves_images_but_not_gradients_of_black_pixels():
    plain, cut = two_layer(), two_layer(input_relu=True)
    batch = images(3, 1, 8)
    batch[:, :, 0] = 0
    gradients = []
    for classifier in (plain, cut):
        given = batch.clone().requires_grad_()
        logits = classifier(given)
        gradients.append(torch.autograd.grad(logits.sum(), given)[0])
        assert torch.equal(logits, plain(batch))
    assert gradients[0][:, :, 0].any() and not gradients[1][:, :, 0].any()
    assert torch.equal(gradients[0][:, :, 1:], gradients[1][:, :, 1:])


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_training_and_weight_decay_leave_the_outer_layer_bit_for_bit(optimizer):
    classifier = two_layer()
    before = {name: tensor.clone() for name, tensor in classifier.state_dict().items()}
    fit(dataclasses.replace(DECAYING, optimizer=optimizer, learning_rate=0.01), classifier=classifier)
    assert torch.equal(classifier.net.outer.weight, before["net.outer.weight"])
    assert not torch.equal(classifier.net.hidden.weight, before["net.hidden.weight"])
    assert not classifier.net.outer.weight.requires_grad
    assert [name for name, _ in classifier.named_parameters()] == ["net.hidden.weight"]


def test_the_outer_layer_is_kept_in_checkpoints_and_when_training_resumes(tmp_path):
    settings = dataclasses.replace(DECAYING, keep="best_loss")
    whole, _ = fit(settings, classifier=two_layer())

    def stop(done, note):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(settings, classifier=two_layer(), state=tmp_path, progress=stop)
    # Another initial network: everything, the fixed layer included, comes from the saved state.
    other = network(5, "two_layer", width=6)
    assert not torch.equal(other.net.outer.weight, whole.net.outer.weight)
    again, _ = fit(settings, classifier=other, state=tmp_path)
    assert torch.equal(again.net.outer.weight, whole.net.outer.weight)
    assert torch.equal(again.net.hidden.weight, whole.net.hidden.weight)
    save_classifier(tmp_path, whole)
    assert torch.equal(load_classifier(tmp_path).net.outer.weight, whole.net.outer.weight)


def test_the_fixed_layer_is_the_head_and_is_not_trained_alone():
    classifier = two_layer()
    assert head(classifier) is classifier.net.outer
    with pytest.raises(FreqmapsError, match="set 'train' to all"):
        fit(dataclasses.replace(DECAYING, train="head"), classifier=classifier)


def test_digits_are_learned():
    settings = TrainingSettings(epochs=20, learning_rate=0.3, momentum=0, schedule="constant", weight_decay=0)
    _, history = fit(settings, classifier=two_layer(width=200, activation="relu"), data=digits(1500))
    assert history[-1]["test_accuracy"] > 0.85

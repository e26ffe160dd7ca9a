"""The basis ``features``: cutting networks at their layers, whatever the network."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from freqmaps.core import components
from freqmaps.core.errors import FreqmapsError
from freqmaps.maps._engine import optimise_maps
from freqmaps.optimise.bases.features import build, feature_layers
from freqmaps.optimise.objectives.cross_entropy import build as cross_entropy
from freqmaps.optimise.problem import plan_for
from tests.map_cases import SHORT, small_net, some_images, some_targets
from tests.tiny_models import images, tiny

CPU = torch.device("cpu")


def plan_of(net, layer, batch):
    return plan_for(net, build(layer=layer), batch, CPU)


def test_the_network_is_cut_where_asked_and_the_rest_goes_on_with_the_filtered_features():
    net = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(4, 3, 3), nn.Flatten())
    batch = torch.from_numpy(some_images(3, 2, (6, 7)))
    plan = plan_of(net, "0", batch)
    with torch.no_grad():
        coefficients = plan.coefficients(batch)
        mask = torch.rand(3, 4, 6, 7, generator=torch.Generator().manual_seed(0))
        mask = mask + torch.roll(mask.flip(-2, -1), (1, 1), (-2, -1))
        features = net[0](batch)
        seen = torch.fft.ifft2(mask * torch.fft.fft2(features)).real
        found = plan.synthesise(coefficients, mask[..., :4])
        torch.testing.assert_close(found, seen, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(plan.logits(net, found, coefficients), net[1:](seen.clone()), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(found, seen, rtol=1e-5, atol=1e-6), "the next layer works in place"
    assert not net[0]._forward_hooks


class Shortcut(nn.Module):
    """A path round the layer."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 1, 3, padding=1), nn.Linear(1, 2)

    def forward(self, x):
        return self.head((functional.relu(self.conv(x)) + x).mean((2, 3)))


def test_a_path_round_the_layer_carries_the_unfiltered_image():
    net, batch = Shortcut(), torch.from_numpy(some_images(2))
    plan = plan_of(net, "conv", batch)
    with torch.no_grad():
        coefficients = plan.coefficients(batch)
        nothing = plan.synthesise(coefficients, torch.zeros(2, *plan.layout.shape))
        torch.testing.assert_close(plan.logits(net, nothing, coefficients), net.head(batch.mean((2, 3))))


#: Networks without a layer of planes.
DENSE = ["two_layer"]
CASES = [(name, {}) for name in components.names("model") if name not in DENSE] + [
    ("torchvision_model", {"name": "resnet18"})
]


@pytest.mark.parametrize(("architecture", "parameters"), CASES)
def test_every_model_can_be_cut_at_each_of_its_layers(architecture, parameters):
    made = tiny(architecture, classes=4, channels=3, size=32)
    if parameters:
        made.net = components.load("model", architecture)(classes=4, channels=3, size=32, **parameters)
    net, batch = made.eval().requires_grad_(False), images(2, 3, 32)
    layers = feature_layers(net, batch)
    assert layers
    expected = net(batch)
    for name in list(layers)[:: max(1, len(layers) // 4)]:
        plan = plan_of(net, name.removeprefix("net."), batch)
        coefficients = plan.coefficients(batch)
        seen = plan.synthesise(coefficients, plan.initial(coefficients)).requires_grad_()
        answer = plan.logits(net, seen, coefficients)
        torch.testing.assert_close(answer.detach(), expected, rtol=1e-3, atol=1e-4)
        (towards,) = torch.autograd.grad(answer[:, 0].sum(), seen)
        assert plan.pull_back(towards, coefficients, torch.empty(0)).shape == (2, *plan.layout.shape)


@pytest.mark.parametrize("architecture", DENSE)
def test_a_network_without_planes_can_be_cut_nowhere(architecture):
    with pytest.raises(FreqmapsError, match=r"cannot be cut at layer 'outer'; Valid: \(none\)$"):
        plan_of(tiny(architecture, classes=4, channels=3, size=32), "outer", images(2, 3, 32))


def test_maps_of_features_equal_those_of_the_cut_off_rest():
    """Filtering features is filtering images of the network's second half."""
    net, batch, targets = small_net(2), some_images(4, 2), some_targets(4)
    with torch.no_grad():
        features = net[:2](torch.from_numpy(batch))
    (found,) = optimise_maps(
        net, batch, targets, cross_entropy(penalty=0.02), SHORT, basis=build(layer="1"), device=CPU
    )
    (expected,) = optimise_maps(net[2:], features, targets, cross_entropy(penalty=0.02), SHORT, device=CPU)
    assert found.map.shape == (4, 6, 8, 5)
    np.testing.assert_allclose(found.map, expected.map, atol=2e-4)
    np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-4)


class Tokens(nn.Module):
    """Layers that cannot be cut: used twice, of tokens, of one pixel; and one whose output is not used."""

    def __init__(self):
        super().__init__()
        self.twice, self.patches = nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 4, 2, stride=2)
        self.tokens, self.pool = nn.Linear(4, 4), nn.AdaptiveAvgPool2d(1)
        self.unused, self.head = nn.Conv2d(1, 2, 1), nn.Linear(4, 3)

    def forward(self, x):
        self.unused(x)
        patches = self.patches(self.twice(self.twice(x)))
        tokens = self.tokens(patches.flatten(2).mT).mT.unflatten(2, patches.shape[2:])
        return self.head(self.pool(tokens).flatten(1))


@pytest.mark.parametrize("layer", ["twice", "tokens", "pool", "head", "patch", ""])
def test_a_layer_that_cannot_be_cut_is_answered_with_those_that_can(layer):
    with pytest.raises(FreqmapsError, match=rf"cannot be cut at layer '{layer}'; .*Valid: patches, unused$"):
        plan_of(Tokens(), layer, torch.rand(1, 1, 8, 8))


@pytest.mark.parametrize("trainable", [True, False])
def test_a_layer_on_which_the_logits_do_not_depend_is_refused(trainable):
    with pytest.raises(FreqmapsError, match="do not depend on layer 'unused'"):
        build(layer="unused").bind(Tokens().requires_grad_(trainable), torch.rand(1, 1, 8, 8))


def test_the_wrappers_own_name_need_not_be_given():
    net, batch = tiny(classes=3).eval(), images(1)
    names = [name for name in feature_layers(net, batch) if name.startswith("net.")]
    assert names
    short = plan_of(net, names[0].removeprefix("net."), batch)
    assert short.layer == plan_of(net, names[0], batch).layer == names[0]

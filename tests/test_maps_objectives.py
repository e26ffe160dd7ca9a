"""Every objective, by one contract; and each against its paper's formula."""

import math

import numpy as np
import pytest
import torch

from freqmaps.core import components
from freqmaps.core.errors import ConfigError, FreqmapsError
from freqmaps.maps import MapSettings
from freqmaps.maps._engine import optimise_maps
from freqmaps.optimise.objectives.cross_entropy import build as cross_entropy
from freqmaps.optimise.objectives.invariance import Invariance
from freqmaps.optimise.objectives.invariance import build as invariance
from freqmaps.spectra.planes import multiplicity
from tests.map_cases import small_net, some_images, some_targets

# --- every objective -------------------------------------------------------------------------------------------------


@pytest.fixture(params=components.names("objective"))
def objective(request):
    tiny = components.find("objective", request.param).constants["TINY"]
    return components.load("objective", request.param)(**tiny)


def logits_and_targets(b=5, k=4):
    generator = torch.Generator().manual_seed(5)
    return torch.randn(b, k, generator=generator, dtype=torch.float64), torch.arange(b) % k


def test_loss_of_each_image_depends_on_that_image_alone(objective):
    logits, target = logits_and_targets()
    context = objective.prepare(1.5 * logits, target)
    assert len(context) == 5
    whole = objective.loss(logits.requires_grad_(), target, context)
    assert whole.shape == (5,)
    for i in range(5):
        alone = objective.loss(logits[i : i + 1], target[i : i + 1], context[i : i + 1])
        torch.testing.assert_close(alone, whole[i : i + 1])
    (gradient,) = torch.autograd.grad(whole[2], logits)
    assert gradient[2].abs().sum() > 0
    assert gradient[[0, 1, 3, 4]].abs().sum() == 0


@pytest.mark.parametrize("width", [6, 7])
def test_penalty_gradient_is_that_of_the_full_plane(objective, width):
    generator = torch.Generator().manual_seed(6)
    half = torch.rand(3, 2, 5, width // 2 + 1, generator=generator, dtype=torch.float64) + 0.1
    for column in {0, width // 2} if width % 2 == 0 else {0}:
        half[..., column] += half[..., column].flip(-1).roll(1, -1)
    weight = torch.from_numpy(multiplicity(5, width))
    kept = half.clone()
    value, gradient = objective.penalty(half, weight)
    assert value.shape == (3,)
    assert torch.equal(half, kept), "the map is not to be changed"
    # A step along one entry of the half plane moves `weight` entries of the full one.
    for place in ((1, 0, 2, 1), (0, 1, 1, 0), (2, 0, 0, 2)):
        moved = half.clone()
        moved[place] += 1e-6
        slope = (objective.penalty(moved, weight)[0] - value) / 1e-6
        assert slope[place[0]].item() == pytest.approx((gradient[place] * weight[place[2:]]).item(), rel=1e-4, abs=1e-6)
        assert slope.abs().sum().item() == pytest.approx(slope[place[0]].abs().item(), abs=1e-6)


def test_cross_entropy_is_the_papers():
    logits, target = logits_and_targets()
    loss = cross_entropy(penalty=0.5).loss(logits, target, logits)
    expected = torch.logsumexp(logits, 1) - logits.gather(1, target[:, None])[:, 0]
    torch.testing.assert_close(loss, expected)
    half = torch.zeros(1, 1, 4, 3)
    half[0, 0, 1, 1], half[0, 0, 0, 0] = 0.5, 1.0
    value, gradient = cross_entropy(penalty=0.5).penalty(half, torch.from_numpy(multiplicity(4, 4)))
    assert value.item() == 0.5 * (2 * 0.5 + 1.0)
    assert gradient.flatten().tolist() == [0.5, 0, 0, 0, 0.5, 0, 0, 0, 0, 0, 0, 0]


def test_an_objective_that_remembers_the_unfiltered_image_gets_its_own_context():
    class Remembers:
        """The squared distance of the logits from those of the unfiltered image."""

        def prepare(self, logits, target):
            return logits.clone()

        def loss(self, logits, target, context):
            return ((logits - context) ** 2).sum(1)

        def penalty(self, m, weight):
            return m.new_zeros(len(m)), torch.zeros_like(m)

    settings = MapSettings(min_steps=2, max_steps=50, tolerance=1e-6, window=2)
    groups = optimise_maps(small_net(), some_images(7), some_targets(7), Remembers(), settings, device="cpu", batch=3)
    # M = 1 leaves the image alone, so every loss but for rounding is 0 from the first step on.
    assert all((g.loss < 1e-3).all() and (g.steps < 50).all() for g in groups)


def test_settings_and_objective_can_be_read_without_importing_them():
    given = {"min_steps": 3, "tolerance": "1e-4"}
    component = components.settings("freqmaps.maps.settings", "MapSettings")
    filled = components.fill(component, given, where="maps.x")
    assert MapSettings(**filled) == MapSettings(min_steps=3, tolerance=1e-4)
    with pytest.raises(ConfigError, match="window"):
        components.fill(component, {"window": 0}, where="maps.x")
    assert components.resolve("objective", "cross_entropy", {}, where="maps.x") == {"penalty": 0.5}
    with pytest.raises(ConfigError, match="penalty"):
        components.resolve("objective", "cross_entropy", {"penalty": -1}, where="maps.x")


# --- invariance ------------------------------------------------------------------------------------------------------


def changed_by(nats):
    """Logits of two classes whose cross-entropy for class 0 is larger by some nats than the context says."""
    logits = torch.tensor([[0.0, 3.0]], dtype=torch.float64, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor([0]))
    return logits, torch.tensor([0]), (loss - nats).detach()[None]


@pytest.mark.parametrize("bound", [1.0, 4.0, 32.0])
@pytest.mark.parametrize("share", [-0.999, -0.5, 0.0, 0.3, 0.999])
def test_invariance_is_equation_2_up_to_its_bound(bound, share):
    logits, target, context = changed_by(share * math.sqrt(bound))
    found = invariance(penalty=0.07, bound=bound).loss(logits, target, context)
    change = torch.nn.functional.cross_entropy(logits, target, reduction="none") - context
    expected = torch.exp(change**2)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)
    slopes = [torch.autograd.grad(value.sum(), logits, retain_graph=True)[0] for value in (found, expected)]
    torch.testing.assert_close(*slopes, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("bound", [0.2, 1.0, 32.0])
@pytest.mark.parametrize("nats", [100.0, -100.0])
def test_losses_that_differ_by_100_point_where_equation_2_points(bound, nats):
    logits, target, context = changed_by(nats)
    single = logits.detach().float().requires_grad_()
    value = invariance(bound=bound).loss(single, target, context.float())
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(math.exp(bound) * (1 + nats**2 - bound), rel=1e-5)
    (found,) = torch.autograd.grad(value.sum(), single)
    assert torch.isfinite(found**2).all(), "Adam squares it"
    # d/dz exp(u) = exp(u) du/dz: with its length taken away, what remains is the direction of du/dz.
    square = (torch.nn.functional.cross_entropy(logits, target, reduction="none") - context) ** 2
    (expected,) = torch.autograd.grad(square.sum(), logits)
    torch.testing.assert_close(found.double() / found.norm(), expected / expected.norm(), rtol=1e-4, atol=1e-6)


def test_value_and_slope_have_no_jump_at_the_bound():
    for side in (1 - 1e-7, 1 + 1e-7):
        logits, target, context = changed_by(2 * side)
        value = invariance(bound=4.0).loss(logits, target, context)
        assert value.item() == pytest.approx(math.exp(4), rel=1e-5)
        (slope,) = torch.autograd.grad(value.sum(), logits)
        change = torch.autograd.grad(torch.nn.functional.cross_entropy(logits, target), logits)[0]
        torch.testing.assert_close(slope, math.exp(4) * 2 * 2 * change, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 7.0])
@pytest.mark.parametrize("width", [6, 7])
def test_the_penalty_is_the_p_norm_over_that_of_the_initial_map(p, width):
    magnitude = np.abs(np.fft.fft2(np.random.default_rng(0).random((2, 3, 5, width))))
    full = torch.from_numpy(magnitude / magnitude.max()).requires_grad_()
    half = full.detach()[..., : width // 2 + 1].clone()
    expected = 0.3 * torch.linalg.vector_norm(full, p, dim=(1, 2, 3)) / (3 * 5 * width) ** (1 / p)
    slope = torch.autograd.grad(expected.sum(), full)[0][..., : width // 2 + 1]
    value, gradient = invariance(penalty=0.3, p=p).penalty(half, torch.from_numpy(multiplicity(5, width)))
    torch.testing.assert_close(value, expected.detach(), rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient, slope, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("p", [1.0, 2.0])
def test_a_map_of_zeros_has_neither_penalty_nor_gradient_and_one_of_ones_has_lambda(p):
    weight = torch.from_numpy(multiplicity(4, 4))
    value, gradient = invariance(p=p).penalty(torch.zeros(1, 2, 4, 3), weight)
    assert value.item() == 0
    assert not gradient.any()
    value, _ = invariance(p=p).penalty(torch.ones(1, 2, 4, 3), weight)
    assert value.item() == pytest.approx(0.07)


class Naive(Invariance):
    """Eq. 2 as it stands."""

    def loss(self, logits, target, context):
        return ((torch.nn.functional.cross_entropy(logits, target, reduction="none") - context) ** 2).exp()


def test_where_equation_2_overflows_on_its_way_the_objective_goes_on():
    net, images = small_net(), some_images(6)
    with torch.no_grad():
        net[-1].weight *= 3000
        net[-1].bias -= net(torch.from_numpy(images)).mean(0)
        targets = net(torch.from_numpy(images)).argmax(1).numpy()
    settings = MapSettings(learning_rate=0.2, schedule="one_cycle", max_steps=300, min_steps=300)
    with pytest.raises(FreqmapsError, match="not finite"):
        list(optimise_maps(net, images, targets, Naive(0.07, 1.0, 1.0), settings, device="cpu"))
    (maps,) = optimise_maps(net, images, targets, invariance(), settings, device="cpu")
    assert np.isfinite(maps.loss).all()
    assert maps.keeps_prediction.mean() > 0.8
    assert maps.map.mean() < 0.9


def test_settings_of_invariance_are_checked():
    with pytest.raises(FreqmapsError, match=r"bound 0\.1 must exceed"):
        invariance(penalty=0.2, bound=0.1)
    with pytest.raises(ConfigError, match=r"invariance\.p: 0\.5 lies outside"):
        invariance(p=0.5)
    with pytest.raises(ConfigError, match=r"p: 0\.5 lies outside"):
        components.resolve("objective", "invariance", {"p": 0.5}, where="maps.x")

"""The settling phase against a slow loop, a convex problem that is solved on paper, and what it promises."""

import numpy as np
import pytest
import torch
from torch import nn

from freqmaps.core.errors import ConfigError
from freqmaps.maps import MapSettings
from freqmaps.maps._engine import optimise_maps
from freqmaps.optimise.bases import dct
from tests.map_cases import corner_full, run, small_net, some_images, some_targets

SETTLED = MapSettings(min_steps=15, max_steps=120, tolerance=0.02, window=5, settling=30)


def slow_settled(model, image, target, settings, penalty):
    """One map: full plane, autograd, torch's Adam; once the loss has settled, a rate that falls along a line.

    From then on the penalty is the sum of the mask, which is its norm over masks that are not negative, but has a
    derivative at 0.
    """
    image = torch.as_tensor(image)[None]
    mask = torch.ones_like(image, requires_grad=True)
    adam = torch.optim.Adam([mask], lr=settings.learning_rate)

    def objective(size=torch.abs):
        logits = model(torch.fft.ifft2(mask * torch.fft.fft2(image)).real)
        ce = nn.functional.cross_entropy(logits, torch.tensor([int(target)]))
        return ce + penalty * size(mask).sum(), int(logits.argmax()) == target

    def step(rate, size=torch.abs):
        adam.param_groups[0]["lr"] = rate
        adam.zero_grad()
        loss, _ = objective(size)
        loss.backward()
        adam.step()
        mask.data.clamp_(0, 1)
        return loss.item()

    losses = []
    while len(losses) <= settings.max_steps:
        losses.append(step(settings.learning_rate))
        last = losses[-settings.window :]
        if len(losses) > settings.min_steps and abs(losses[-1] - sum(last) / len(last)) < settings.tolerance:
            break
    before, (loss_before, right_before) = mask.detach().clone(), objective()
    for k in range(settings.settling):
        step(settings.learning_rate * (1 - k / settings.settling), torch.clone)
    loss, right = objective()
    if loss > loss_before or (right_before and not right):
        return before[0].numpy(), loss_before.item(), len(losses) + settings.settling
    return mask.detach()[0].numpy(), loss.item(), len(losses) + settings.settling


@pytest.mark.parametrize("batch", [2, 6])
def test_settled_maps_are_those_of_the_slow_loop(batch):
    net, images, targets = small_net(seed=1), some_images(6), some_targets(6)
    with torch.no_grad():
        net[-1].weight *= 4
    maps = run(net, images, targets, SETTLED, penalty=0.1, batch=batch)
    slow = [slow_settled(net, images[i], targets[i], SETTLED, 0.1) for i in range(6)]
    np.testing.assert_allclose(corner_full(maps.map, 8), np.stack([s[0] for s in slow]), atol=2e-3)
    np.testing.assert_allclose(maps.loss, [s[1] for s in slow], rtol=1e-4)
    assert maps.steps.tolist() == [s[2] for s in slow]
    assert len(set(maps.steps.tolist())) > 1


class Squares:
    """½|x_F − x|² + λ Σ|M|: with an orthonormal basis each entry is a problem of its own."""

    def __init__(self, strength):
        self.strength = strength

    def prepare(self, logits, target):
        return logits.clone()

    def loss(self, logits, target, context):
        return 0.5 * ((logits - context) ** 2).sum(dim=1)

    def penalty(self, m, weight):
        return self.strength * (m.abs() * weight).sum(dim=(1, 2, 3), dtype=torch.float64), torch.sign(m) * self.strength


def toy(settling, strength=0.05):
    """Return the map of each image and its loss, and the minimum: m = max(0, 1 − λ / c²) for each coefficient c."""
    images = some_images(3, size=(6, 6))
    settings = MapSettings(min_steps=300, max_steps=600, settling=settling)
    targets = np.zeros(3, dtype=np.int64)
    found = list(
        optimise_maps(nn.Flatten(), images, targets, Squares(strength), settings, basis=dct.build(), device="cpu")
    )
    order = np.argsort(np.concatenate([f.index for f in found]))
    cosines = dct.cosines(6).numpy()
    c = cosines @ images.astype(np.float64) @ cosines.T
    with np.errstate(divide="ignore"):
        best = np.maximum(0, 1 - strength / c**2)
    value = (0.5 * (c * (1 - best)) ** 2 + strength * best).sum(axis=(1, 2, 3))
    return np.concatenate([f.map for f in found])[order], np.concatenate([f.loss for f in found])[order], best, value


def test_a_convex_problem_settles_at_its_minimum_with_exact_zeros():
    maps, losses, best, value = toy(settling=400)
    assert 0.2 < (best == 0).mean() < 0.9
    assert (maps[best == 0] == 0).all()
    np.testing.assert_allclose(maps, best, atol=1e-3)
    np.testing.assert_allclose(losses, value, rtol=1e-6)


@pytest.mark.parametrize("rule", [{"stop": "quiet", "patience": 5}, {}])
def test_settling_keeps_predictions_and_never_raises_the_loss(rule):
    net, images = small_net(seed=1), some_images(12)
    with torch.no_grad():
        net[-1].weight *= 4
        targets = net(torch.from_numpy(images)).argmax(1).numpy()
    plain = MapSettings(min_steps=20, max_steps=150, tolerance=0.02, window=5, **rule)
    made = run(net, images, targets, plain, penalty=0.02)
    settled = run(net, images, targets, MapSettings(**vars(plain) | {"settling": 60}), penalty=0.02)
    filtered = torch.fft.ifft2(torch.from_numpy(corner_full(made.map, 8)) * torch.fft.fft2(torch.from_numpy(images)))
    with torch.no_grad():
        ce = nn.functional.cross_entropy(net(filtered.real), torch.from_numpy(targets), reduction="none").numpy()
    final = ce + 0.02 * corner_full(made.map, 8).sum(axis=(1, 2, 3))
    assert (settled.loss <= final + 1e-5).all()
    assert settled.loss.sum() < final.sum() - 5e-5
    assert (settled.keeps_prediction | ~made.keeps_prediction).all()
    assert (settled.steps == made.steps + 60).all()
    assert (settled.converged == made.converged).all()


def test_a_settling_that_makes_the_loss_higher_is_undone():
    """A data term that grows with every call makes each later map look worse than the one before."""
    images, targets = some_images(3, size=(6, 6)), np.zeros(3, dtype=np.int64)

    class Rising(Squares):
        calls = 0

        def loss(self, logits, target, context):
            type(self).calls += 1
            return super().loss(logits, target, context) + self.calls

    settings = MapSettings(min_steps=20, max_steps=30, tolerance=0.0)
    (plain,) = optimise_maps(nn.Flatten(), images, targets, Squares(0.05), settings, basis=dct.build(), device="cpu")
    settings = MapSettings(**vars(settings) | {"settling": 10})
    (undone,) = optimise_maps(nn.Flatten(), images, targets, Rising(0.05), settings, basis=dct.build(), device="cpu")
    np.testing.assert_array_equal(undone.map, plain.map)


def test_settling_after_a_cycle_is_refused():
    with pytest.raises(ConfigError, match="settling"):
        MapSettings(schedule="one_cycle", settling=10)

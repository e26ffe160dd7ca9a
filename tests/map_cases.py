"""Small networks, images and maps for the tests of the map engine."""

import numpy as np
import pytest
import torch
from torch import nn

from freqmaps.maps import MapSettings, compute_maps, to_full

SHORT = MapSettings(min_steps=20, max_steps=60, tolerance=0.0)


def small_net(channels=1, classes=4, seed=0):
    """A smooth network with lively input gradients, batch norm included; smooth, so that rounding does not grow."""
    generator = torch.Generator().manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(channels, 6, 3, padding=1, bias=False),
        nn.BatchNorm2d(6),
        nn.Softplus(),
        nn.AdaptiveAvgPool2d(3),
        nn.Flatten(),
        nn.Linear(54, classes),
    )
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * 0.7)
        net[1].running_mean.copy_(torch.randn(6, generator=generator))
        net[1].running_var.copy_(torch.rand(6, generator=generator) + 0.5)
    return net.eval()


def some_images(n, channels=1, size=(8, 8), seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, channels, *size, generator=generator).numpy()


def some_targets(n, classes=4, seed=2):
    return np.random.default_rng(seed).integers(0, classes, n)


def corner_full(half, width):
    return np.fft.ifftshift(to_full(half, width), axes=(-2, -1))


def cosine(a, b):
    a, b = (v.reshape(len(v), -1).astype(np.float64) for v in (a, b))
    return (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))


def run(model, images, targets, settings=SHORT, penalty=0.02, **options):
    return compute_maps(
        model, images, targets, "cross_entropy", {"penalty": penalty}, settings, device="cpu", **options
    )


def slow_map(model, image, target, settings, penalty):
    """One map as the papers' authors make it: full plane, autograd through the transforms, a Python list of losses."""
    image = torch.as_tensor(image)[None]
    mask = torch.ones_like(image, requires_grad=True)
    adam = torch.optim.Adam([mask], lr=settings.learning_rate)
    steps = settings.max_steps + 1
    cycle = torch.optim.lr_scheduler.OneCycleLR(adam, settings.learning_rate, steps, pct_start=settings.warmup)
    losses, step, quiet = [], 0, 0
    while True:
        adam.zero_grad()
        if settings.schedule == "constant":
            adam.param_groups[0].update(lr=settings.learning_rate, betas=(0.9, 0.999))
        logits = model(torch.fft.ifft2(mask * torch.fft.fft2(image)).real)
        long_quiet = settings.stop == "quiet" and quiet >= settings.patience and step > settings.min_steps
        if long_quiet and logits.argmax() == target:
            return mask.detach()[0].numpy(), step, losses[-1], True
        loss = nn.functional.cross_entropy(logits, torch.tensor([int(target)])) + penalty * mask.abs().sum()
        loss.backward()
        adam.step()
        mask.data.clamp_(0, 1)
        step += 1
        losses.append(loss.item())
        last = losses[-settings.window :]
        settled = abs(losses[-1] - sum(last) / len(last)) < settings.tolerance
        quiet = quiet + 1 if settled else 0
        if settings.stop == "settled" and step > settings.min_steps and settled:
            return mask.detach()[0].numpy(), step, losses[-1], True
        if step > settings.max_steps:
            return mask.detach()[0].numpy(), step, losses[-1], False
        cycle.step()


@pytest.fixture(scope="module", name="converging")
def converging_maps():
    """Twelve images that stop at different steps; a wide tolerance, so that the stop is no matter of rounding."""
    settings = MapSettings(min_steps=15, max_steps=120, tolerance=0.02, window=5)
    net, images = small_net(seed=1), some_images(12)
    with torch.no_grad():
        net[-1].weight *= 4
        targets = net(torch.from_numpy(images)).argmax(1).numpy()
    targets[::2] = (targets[::2] + 1) % 4
    return net, images, targets, settings, run(net, images, targets, settings, penalty=0.1, batch=12)

"""Small cases for the maps of groups, and the slow loop that they are held against."""

import numpy as np
import torch
from torch import nn

from freqmaps.group_maps import GroupMapSettings, Pictures, compute_group_maps
from freqmaps.group_maps._batches import Minibatches
from freqmaps.optimise.layouts import FrequencyPlane
from tests.map_cases import small_net, some_images, some_targets

PLAIN = {"stop": "none", "schedule": "constant", "learning_rate": 0.02, "batch": 5, "epochs": 6}
PENALTY = {"penalty": 0.01}


def uniform(shape, seed):
    """The noise that a group's map starts from."""
    return FrequencyPlane(*shape).draw(np.random.default_rng(seed))


def settings(**changes):
    return GroupMapSettings(**(PLAIN | changes))


def pictures(n=23, channels=1, size=(8, 8), seed=1, classes=4, category=None):
    targets = some_targets(n, classes, seed)
    return Pictures(
        some_images(n, channels, size, seed), targets, targets if category is None else np.asarray(category)
    )


def misled(n=17, seed=5, classes=4, **options):
    """Adversarial images: each belongs to the group of a class that is not its own."""
    targets = some_targets(n, classes, seed)
    return pictures(
        n, seed=seed, classes=classes, category=(targets + 1 + np.arange(n) % (classes - 1)) % classes, **options
    )


def make(net, clean, config, objective="cross_entropy", parameters=PENALTY, **options):
    return compute_group_maps(net, clean, objective, parameters, config, device="cpu", **options)


def slow_loss(objective, strength, logits, unfiltered, targets, mask):
    """The papers' objectives as they are written, the penalty on the full plane."""
    loss = nn.functional.cross_entropy(logits, targets, reduction="none")
    if objective == "cross_entropy":
        return loss.mean() + strength * mask.abs().sum()
    before = nn.functional.cross_entropy(unfiltered, targets, reduction="none")
    return torch.exp((loss - before) ** 2).mean() + strength * mask.norm(p=1) / torch.ones_like(mask).norm(p=1)


def through_amplitudes(net, mask, x):
    """The logits for images whose full planes are multiplied by a map, origin in the corner."""
    return net(torch.fft.ifft2(mask * torch.fft.fft2(x)).real)


def clamped(mask):
    """The map put back into [0, 1]."""
    return mask.clamp(0, 1)


def slow_group_map(
    net,
    kinds,
    config,
    label,
    seed=0,
    objective="cross_entropy",
    parameters=PENALTY,
    initial=None,
    through=through_amplitudes,
    projected=clamped,
):
    """One group's map, written as the papers' authors write it: full plane, autograd, torch's Adam and OneCycleLR.

    ``kinds`` are (number, pictures) in the order of their steps. Returns the map (origin in the corner), and the mean
    loss and the accuracy (of the first kind) of each epoch. What a map multiplies is said by ``through``, from a
    network, a map and images to logits, and ``projected``, which puts a map back into its range.
    """
    streams = []
    for number, given in kinds:
        members = np.arange(len(given)) if label < 0 else np.flatnonzero(given.category == label)
        if len(members):
            streams.append((given, Minibatches(members, config.batch, (seed, number, label + 1))))
    rounds = max(len(s) for _, s in streams)
    shape = kinds[0][1].images.shape[1:]
    mask = torch.ones(1, *shape) if initial is None else torch.as_tensor(initial)[None].clone()
    mask.requires_grad_()
    adam = torch.optim.Adam([mask], lr=config.learning_rate)
    schedule = None
    if config.schedule == "one_cycle":
        steps = config.epochs * rounds * len(streams)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            adam, config.learning_rate, total_steps=steps, pct_start=config.warmup
        )
    losses, accuracies = [], []
    for epoch in range(config.epochs):
        epoch_losses, right, seen = [], 0, 0
        for number in range(rounds):
            for kind, (given, minibatches) in enumerate(streams):
                rows = minibatches.at(epoch * rounds + number)
                x, t = torch.from_numpy(given.images[rows]), torch.from_numpy(given.targets[rows])
                adam.zero_grad()
                logits = through(net, mask, x)
                loss = slow_loss(objective, parameters["penalty"], logits, net(x).detach(), t, mask)
                loss.backward()
                adam.step()
                if schedule:
                    schedule.step()
                mask.data = projected(mask.data)
                epoch_losses.append(loss.item())
                if kind == 0:
                    right, seen = right + int((logits.argmax(1) == t).sum()), seen + len(t)
        losses.append(float(np.mean(epoch_losses)))
        accuracies.append(right / seen)
    return mask.detach()[0].numpy(), losses, accuracies


def accuracy_through(net, given, rows, mask):
    """The accuracy on some images, filtered by a map whose origin lies in the corner."""
    x = np.fft.ifft2(mask * np.fft.fft2(given.images[rows])).real.astype(np.float32)
    with torch.no_grad():
        return float((net(torch.from_numpy(x)).argmax(1).numpy() == given.targets[rows]).mean())


def learned_net(given, classes=4):
    """A small network, some steps into learning the targets: better than chance, and not perfect."""
    net = small_net(given.images.shape[1], classes)
    for p in net.parameters():
        p.requires_grad_()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    x, t = torch.from_numpy(given.images), torch.from_numpy(given.targets)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), t).backward()
        optimizer.step()
    return net.eval().requires_grad_(False)

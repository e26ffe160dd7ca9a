"""Group maps: an epoch of one map for many images against the network's bare forward and backward over them.

ResNet-20 at 32×32, its weights random (a step costs the same whatever they are). Also, what the engine does not do and
why: several networks in one batch, by torch.func.stack_module_state and vmap, against one after another.
"""

from __future__ import annotations

import json

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from benchmarks.bench_maps import resnet20, seconds
from freqmaps.core import components
from freqmaps.group_maps import GroupMapSettings, Pictures
from freqmaps.group_maps._engine import Run

BATCH = 128


def pictures(images: int, classes: int = 10) -> Pictures:
    generator = np.random.default_rng(0)
    labels = np.arange(images) % classes
    return Pictures(generator.random((images, 3, 32, 32), dtype=np.float32), labels, labels)


def epoch(device: torch.device, images: int, repeats: int, settings: GroupMapSettings, name: str) -> dict[str, float]:
    """Return the median ratio of an epoch to the same frozen network's input gradients of all images, interleaved."""
    objective = components.load("objective", "invariance")(penalty=0.2)
    given = pictures(images)
    basis = components.load("basis", "fourier")()
    run = Run(resnet20(10, 3, device), {"clean": given}, objective, basis, settings, 0, device, BATCH)
    x, t = torch.from_numpy(given.images).to(device), torch.from_numpy(given.targets).to(device)

    def bare() -> None:
        for start in range(0, images, BATCH):
            y = x[start : start + BATCH].clone().requires_grad_()
            loss = nn.functional.cross_entropy(run.problem.net(y), t[start : start + BATCH], reduction="sum")
            torch.autograd.grad(loss, y)

    pairs = [(seconds(bare, device), seconds(run.epoch, device)) for _ in range(repeats + 1)][1:]
    return {
        f"group_maps_{name}_epoch_vs_bare_gradient": float(np.median([e / b for b, e in pairs])),
        f"group_maps_{name}_epoch_ms_per_image": 1e3 * float(np.median([e for _, e in pairs])) / images,
    }


def several_networks(device: torch.device, count: int, images: int, repeats: int) -> dict[str, float]:
    """Return the time of the input gradients of stacked networks, relative to one network after another."""
    networks = [resnet20(10, 3, device) for _ in range(count)]
    x = torch.rand(images, 3, 32, 32, device=device)
    parameters, buffers = stack_module_state(networks)
    parameters = {name: tensor.detach() for name, tensor in parameters.items()}

    def single(p: dict[str, torch.Tensor], b: dict[str, torch.Tensor], y: torch.Tensor) -> torch.Tensor:
        return functional_call(networks[0], (p, b), (y,))

    def stacked() -> None:
        y = x.expand(count, *x.shape).clone().requires_grad_()
        torch.autograd.grad(vmap(single)(parameters, buffers, y).sum(), y)

    def loop() -> None:
        for network in networks:
            y = x.clone().requires_grad_()
            torch.autograd.grad(network(y).sum(), y)

    pairs = [(seconds(loop, device), seconds(stacked, device)) for _ in range(repeats + 1)][1:]
    return {f"group_maps_{count}_networks_stacked_vs_loop": float(np.median([s / one for one, s in pairs]))}


def run(device: str = "auto") -> dict[str, float]:
    """Return all figures; about a minute on two cores."""
    on_gpu = torch.cuda.is_available() and device in ("auto", "cuda")
    where = torch.device("cuda" if on_gpu else "cpu")
    images = 16384 if on_gpu else 512
    whole = GroupMapSettings(batch=BATCH, epochs=1000, stop="none")
    classes = GroupMapSettings(groups="class", batch=BATCH // 4, epochs=1000, stop="none")
    return {
        **epoch(where, images, 7, whole, "whole"),
        **epoch(where, images, 7, classes, "class"),
        **several_networks(where, 5, 32, 5),
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))

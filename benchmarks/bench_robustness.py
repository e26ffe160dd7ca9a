"""PGD with images that leave and on a folded network, Fourier heat maps of half the plane: against the plain way.

PGD has 50 steps and 10 restarts. Both ways run on the same network and images, one after the other. How much leaving
saves depends on how many images the attack fools: once at 8/255, once at the budget at which half of them stay right.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.networks import trained_resnet20
from freqmaps.attacks import AttackResult, attack_images
from freqmaps.attacks._restarts import Restarts, unbroken
from freqmaps.core.components import load
from freqmaps.core.frozen import freeze
from freqmaps.evaluation import Network, fourier_heat_map
from freqmaps.evaluation.fourier_heat_map import basis_vectors, half_plane, signs
from freqmaps.models import predict
from freqmaps.optimise.compiled import Compiled
from freqmaps.spectra.transforms import frequencies
from freqmaps.stores.selection import Samples

T = TypeVar("T")
IMAGES, BATCH, NORM = 12, 64, 4.0
CPU = torch.device("cpu")


def run() -> dict[str, float]:
    """Time both pairs, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        network, images, labels = trained_resnet20()
        right = predict(network, images) == labels
        samples = Samples(
            images[right][:IMAGES], labels[right][:IMAGES], ["" for _ in range(IMAGES)], np.arange(IMAGES)
        )
        many = Samples(images[:BATCH], labels[:BATCH], ["" for _ in range(BATCH)], np.arange(BATCH))
        return {
            **_pgd(network, samples),
            **_attack(network, samples),
            **_compiled(network, many),
            **_heat_map(network, samples),
        }
    finally:
        torch.set_num_threads(threads)


def _pgd(network: torch.nn.Module, samples: Samples) -> dict[str, float]:
    def attacked(epsilon: float, *, leave: bool) -> NDArray[np.bool_]:
        plan = Restarts(epsilon, epsilon / 4, steps=50, restarts=10)
        return unbroken(
            network, samples.images, samples.labels, plan, seed=0, positions=samples.positions, device=CPU, leave=leave
        )

    figures, differ = {}, 0
    half = _halving(partial(attacked, leave=True))
    for name, epsilon in (("", 8 / 255), ("_half_robust", half)):
        fast, seconds = _timed(partial(attacked, epsilon, leave=True))
        slow, without = _timed(partial(attacked, epsilon, leave=False))
        differ += int((fast != slow).sum())
        figures[f"pgd_with_leaving_vs_without{name}"] = without / seconds
        figures[f"pgd_right{name}"] = float(fast.mean())
    return figures | {"pgd_with_leaving_differs": float(differ), "pgd_images": float(len(samples.ids))}


def _attack(network: torch.nn.Module, samples: Samples) -> dict[str, float]:
    """Time PGD as the attack stage runs it, and the same plan on the network whose batch norm is not folded."""
    plan = load("attack", "pgd")(epsilon=8 / 255, steps=40)
    own = {"seed": 0, "positions": samples.positions, "device": CPU}

    def folded() -> AttackResult:
        return attack_images(network, samples.images, samples.labels, plan, **own)  # type: ignore[arg-type]

    def plain() -> AttackResult:  # without a budget an attack sees the network as it is
        return attack_images(network, samples.images, samples.labels, replace(plan, epsilon=None), **own)  # type: ignore[arg-type]

    ratios = []
    for _ in range(5):
        (fast, seconds), (slow, without) = _timed(folded), _timed(plain)
        ratios.append(seconds / without)
    return {
        "attack_pgd_folded_vs_plain": float(np.median(ratios)),
        "attack_pgd_folded_differs": float((fast.success != slow.success).mean()),
    }


def _compiled(network: torch.nn.Module, samples: Samples) -> dict[str, float]:
    """Time PGD on the folded network as it is, and compiled for its batches; compiling itself is not counted."""
    plan = load("attack", "pgd")(epsilon=8 / 255, steps=40)
    net = freeze(network, torch.from_numpy(samples.images[:2]))
    own = {"seed": 0, "positions": samples.positions, "device": CPU, "batch": BATCH}
    attack = partial(attack_images, images=samples.images, labels=samples.labels, plan=plan, **own)  # type: ignore[arg-type]
    quick = Compiled(net, BATCH)
    attack(quick)
    ratios = []
    for _ in range(5):
        (fast, seconds), (slow, without) = _timed(lambda: attack(quick)), _timed(lambda: attack(net))
        ratios.append(seconds / without)
    return {
        "attack_pgd_compiled_vs_folded": float(np.median(ratios)),
        "attack_pgd_compiled_differs": float((fast.success != slow.success).mean()),
    }


def _halving(attacked: Callable[[float], NDArray[np.bool_]]) -> float:
    """Return a budget at which about half of the images stay right, by halving."""
    low, high = 0.0, 8 / 255
    for _ in range(6):
        middle = (low + high) / 2
        low, high = (middle, high) if attacked(middle).mean() > 0.5 else (low, middle)
    return (low + high) / 2


def _heat_map(network: torch.nn.Module, samples: Samples) -> dict[str, float]:
    given = Network(network, CPU, {}, samples)  # type: ignore[arg-type]
    found, seconds = _timed(lambda: fourier_heat_map.compute(None, given, seed=0, norm=NORM).arrays)  # type: ignore[arg-type]
    slow, one_by_one = _timed(lambda: _one_at_a_time(network, samples))
    assert found is not None
    return {
        "heat_map_vs_one_vector_at_a_time": one_by_one / seconds,
        "heat_map_ms_per_image_and_frequency": 1000 * seconds / slow.size / len(samples.ids),
        "heat_map_differs": float(abs(found["error"].values - slow).mean()),
    }


def _one_at_a_time(network: torch.nn.Module, samples: Samples) -> NDArray[np.float64]:
    """Return the error rate under each basis vector of the whole plane: all images at once, one basis vector each."""
    channels, height, width = samples.images.shape[1:]
    ky, kx = frequencies(height), frequencies(width)
    half, place = half_plane(ky, kx, height, width)
    drawn = np.stack([signs(0, int(at), len(half), channels) for at in samples.positions])
    error = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            wave = NORM * basis_vectors(np.array([[ky[row], kx[column]]]), height, width)[0]
            added = drawn[:, place[row, column], :, None, None] * wave.astype(np.float32)
            with torch.no_grad():
                seen = network(torch.from_numpy(samples.images + added)).argmax(dim=1).numpy()
            error[row, column] = (seen != samples.labels).mean()
    return error


def _timed(function: Callable[[], T]) -> tuple[T, float]:
    start = time.process_time()
    found = function()
    return found, time.process_time() - start

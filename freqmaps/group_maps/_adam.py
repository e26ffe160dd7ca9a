"""Adam with numbers of its own for each map, and the learning rate's cycle."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from freqmaps.group_maps.settings import GroupMapSettings

#: Of torch's OneCycleLR: the first rate is the largest / 25, the last the first / 10 000; the momentum's extremes.
_START, _END = 25.0, 1e4
_MOMENTUM = (0.95, 0.85)
_BETAS = (0.9, 0.999)
_EPSILON = 1e-8


def rate_and_beta(settings: GroupMapSettings, step: int, total: int) -> tuple[float, float]:
    """Return the learning rate and Adam's first beta of a step.

    Parameters
    ----------
    settings
        Schedule, largest rate and warm-up.
    step
        From 0 to ``total - 1``.
    total
        Steps of the whole run.
    """
    top = settings.learning_rate
    if settings.schedule == "constant":
        return top, _BETAS[0]
    peak, (high, low) = settings.warmup * total - 1.0, _MOMENTUM
    if step < peak:
        part = step / peak
        return _cosine(top / _START, top, part), _cosine(high, low, part)
    part = (step - peak) / (total - 1.0 - peak)
    return _cosine(top, top / _START / _END, part), _cosine(low, high, part)


def _cosine(start: float, end: float, part: float) -> float:
    return end + (start - end) / 2.0 * (1.0 + math.cos(math.pi * part))


def adam_step(
    maps: Tensor,
    first: Tensor,
    second: Tensor,
    gradient: Tensor,
    steps: Sequence[int],
    rates: Sequence[float],
    betas: Sequence[float],
) -> None:
    """Make one step of Adam (Kingma & Ba, algorithm 1) in place, then project the maps on [0, 1].

    Parameters
    ----------
    maps, first, second, gradient
        (p, c, h, w // 2 + 1): maps, moments of their gradients, gradients.
    steps, rates, betas
        p numbers each: the step's number, from 1; the learning rate; the first moment's decay.
    """
    decay = _column(betas, maps)
    rate = _column([r / (1 - b**t) for r, b, t in zip(rates, betas, steps, strict=True)], maps)
    root = _column([math.sqrt(1 - _BETAS[1] ** t) for t in steps], maps)
    first.lerp_(gradient, 1 - decay)
    second.mul_(_BETAS[1]).addcmul_(gradient, gradient, value=1 - _BETAS[1])
    move = first / (second.sqrt() / root + _EPSILON)
    maps.sub_(move.mul_(rate)).clamp_(0, 1)


def _column(values: Sequence[float], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device)[:, None, None, None]

"""The Adam optimiser with a step count, learning rate and momentum of its own for each group map."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from freqmaps.core import schedules
from freqmaps.group_maps.settings import GroupMapSettings
from freqmaps.optimise.adam import BETAS, corrected, direction, wide_float


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
        return top, BETAS[0]
    cycle = (float(step), total, settings.warmup)
    rate, beta = (schedules.one_cycle(*cycle, values) for values in (schedules.CYCLED_RATE, schedules.CYCLED_BETA))
    return top * rate, beta


def adam_step(
    maps: Tensor,
    first: Tensor,
    second: Tensor,
    gradient: Tensor,
    steps: Sequence[int],
    rates: Sequence[float],
    betas: Sequence[float],
) -> None:
    """Make one step of Adam in place, then project the maps on [0, 1].

    Parameters
    ----------
    maps, first, second, gradient
        (p, c, h, w // 2 + 1): maps, moments of their gradients, gradients.
    steps, rates, betas
        p numbers each: the step's number, from 1; the learning rate; the first moment's decay.
    """
    wide = wide_float(maps.device)
    step, rate, beta = (torch.tensor(v, dtype=wide, device=maps.device) for v in (steps, rates, betas))
    move = direction(first, second, gradient, step, torch.empty_like(gradient), beta)
    maps.sub_(move.mul_(corrected(rate, step, maps, beta))).clamp_(0, 1)

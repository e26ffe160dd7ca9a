"""Adam with a step number, a rate and a first beta of its own for each row of a batch."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from freqmaps.core import schedules
from freqmaps.core.schedules import Number

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class Paced(Protocol):
    """Settings that have a schedule: ``constant`` or ``one_cycle``."""

    @property
    def schedule(self) -> str: ...  # noqa: D102
    @property
    def warmup(self) -> float: ...  # noqa: D102


def pace(settings: Paced, step: Number, total: int) -> tuple[Number | float, Number | float]:
    """Return the rate of a step, as a share of the largest one, and Adam's first beta.

    Parameters
    ----------
    settings
        Schedule, and share of the steps in which ``one_cycle`` rises.
    step
        From 0 to ``total - 1``: a number, or one per row.
    total
        Steps of the whole run.
    """
    if settings.schedule == "constant":
        return 1.0, BETAS[0]
    cycle = (step, total, settings.warmup)
    return schedules.one_cycle(*cycle, schedules.CYCLED_RATE), schedules.one_cycle(*cycle, schedules.CYCLED_BETA)


def direction(
    first: Tensor, second: Tensor, gradient: Tensor, step: Tensor, out: Tensor, beta: float | Tensor = BETAS[0]
) -> Tensor:
    """Update both moments and return Adam's direction (Kingma & Ba, algorithm 1), short of the first's bias correction.

    Parameters
    ----------
    first, second
        (b, ...) moments of the gradient, changed in place.
    gradient
        (b, ...) of this step.
    step
        (b,) float: the number of this step, from 1.
    out
        Like ``gradient``: where to put the result.
    beta
        The first moment's decay: a number, or one per row.

    Returns
    -------
    Tensor
        ``out``; times ``rate / (1 − β₁^step)``, which :func:`corrected` gives, it is the step to subtract.
    """
    root = rows((1 - BETAS[1] ** step).sqrt().to(gradient.dtype), gradient)
    first.lerp_(gradient, 1 - beta if isinstance(beta, float) else rows((1 - beta).to(gradient.dtype), gradient))
    second.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
    torch.sqrt(second, out=out).div_(root).add_(EPSILON)
    return torch.div(first, out, out=out)


def corrected(rate: Tensor, step: Tensor, like: Tensor, beta: float | Tensor = BETAS[0]) -> Tensor:
    """Return the rates (b,) with the bias correction of the first moment, shaped to multiply ``like`` row by row."""
    return rows((rate / (1 - beta**step)).to(like.dtype), like)


def rows(numbers: Tensor, like: Tensor) -> Tensor:
    """Return (b,) numbers shaped to multiply the rows of a tensor (b, ...)."""
    return numbers.view(-1, *[1] * (like.ndim - 1))


def wide_float(device: torch.device) -> torch.dtype:
    """Return the dtype for losses: float64, but for Apple's GPUs, which have none."""
    return torch.float32 if device.type == "mps" else torch.float64

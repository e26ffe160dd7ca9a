"""Learning rates in closed form: a step's rate depends on nothing but its number, so a resumed run needs no state."""

from __future__ import annotations

import math
from bisect import bisect_right

from freqmaps.training.settings import TrainingSettings

#: torch's OneCycleLR: the first rate is the largest / 25, the last the first / 10 000.
_START, _END = 25.0, 1e4
_MOMENTUM = (0.95, 0.85)


def learning_rate(settings: TrainingSettings, step: int, steps: int, steps_per_epoch: int) -> float:
    """Return the learning rate of a step.

    Parameters
    ----------
    settings
        Schedule and largest rate.
    step
        From 0 to ``steps - 1``, over all epochs.
    steps
        Of the whole training.
    steps_per_epoch
        For the milestones.
    """
    top = settings.learning_rate
    if settings.schedule == "multistep":
        return top * settings.factor ** bisect_right(settings.milestones, step // steps_per_epoch)
    if settings.schedule == "one_cycle":
        return _one_cycle(settings, step, steps, (top / _START, top, top / _START / _END))
    if settings.schedule == "cosine":
        return _cosine(top, 0.0, step / steps)
    if settings.schedule == "cyclic":
        return top * _triangle(settings.peak, step / steps)
    return top


def momentum(settings: TrainingSettings, step: int, steps: int) -> float:
    """Return the momentum (first beta) of a step."""
    if settings.schedule == "one_cycle" and settings.cycle_momentum:
        high, low = _MOMENTUM
        return _one_cycle(settings, step, steps, (high, low, high))
    return settings.momentum


def _one_cycle(settings: TrainingSettings, step: int, steps: int, values: tuple[float, float, float]) -> float:
    first, middle, last = values
    peak = max(settings.warmup * steps - 1.0, 0.0)
    if step <= peak and peak > 0:
        return _cosine(first, middle, step / peak)
    return _cosine(middle, last, (step - peak) / max(steps - 1 - peak, 1.0))


def _triangle(peak: float, part: float) -> float:
    """Return 0 at the start and the end and 1 at the peak, and what lies on the straight lines between them."""
    return 1.0 - ((peak - part) / peak if part < peak else (part - peak) / max(1.0 - peak, 1e-12))


def _cosine(start: float, end: float, part: float) -> float:
    return end + (start - end) / 2.0 * (1.0 + math.cos(math.pi * part))

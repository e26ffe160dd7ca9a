"""Learning rates in closed form: a step's rate depends on nothing but its number, so a resumed run needs no state."""

from __future__ import annotations

from bisect import bisect_right

from freqmaps.core.schedules import CYCLED_BETA, CYCLED_RATE, cosine, one_cycle, triangle
from freqmaps.training.settings import TrainingSettings


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
        first, largest, last = CYCLED_RATE
        return one_cycle(float(step), steps, settings.warmup, (top * first, top * largest, top * last))
    if settings.schedule == "cosine":
        return cosine(top, 0.0, step / steps)
    if settings.schedule == "cyclic":
        return top * triangle(step / steps, settings.peak)
    return top


def momentum(settings: TrainingSettings, step: int, steps: int) -> float:
    """Return the momentum (first beta) of a step."""
    if settings.schedule == "one_cycle" and settings.cycle_momentum:
        return one_cycle(float(step), steps, settings.warmup, CYCLED_BETA)
    return settings.momentum

"""Schedules in closed form: a value depends on nothing but the step's number, so a resumed run needs no state.

Every function takes a float, or a tensor with one number per row, and returns the same kind. It imports no torch.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

Number = TypeVar("Number", float, "Tensor")

#: What torch's OneCycleLR does unless told otherwise. First, largest and last rate, as shares of the largest; and the
#: values that the momentum (Adam's first beta) has at these places.
CYCLED_RATE = (1 / 25, 1.0, 1 / 25 / 1e4)
CYCLED_BETA = (0.95, 0.85, 0.95)


def cosine(start: float, end: float, part: Number) -> Number:
    """Return the value on half a cosine from ``start`` (``part`` 0) to ``end`` (``part`` 1).

    >>> cosine(1.0, 0.0, 0.5)
    0.5
    """
    turn = math.pi * part
    height = math.cos(turn) if isinstance(turn, float | int) else turn.cos()
    return end + (start - end) / 2 * (1 + height)


def triangle(part: float, peak: float = 0.5) -> float:
    """Return the height of a triangle over [0, 1]: 0 at both ends, 1 at the peak, which may be an end itself.

    >>> triangle(0.25), triangle(0.25, peak=0.25), triangle(0.0, peak=0.0)
    (0.5, 1.0, 1.0)
    """
    return 1.0 - ((peak - part) / peak if part < peak else (part - peak) / max(1.0 - peak, 1e-12))


def one_cycle(step: Number, steps: int, warmup: float, values: tuple[float, float, float]) -> Number:
    """Return where a step is on its way along two cosines, as torch's OneCycleLR has them.

    Parameters
    ----------
    step
        From 0 to ``steps - 1``.
    steps
        Of the whole cycle.
    warmup
        Share of the steps in which it goes from the first to the second value, from 0 to 1.
    values
        At the first step, at the end of the warm-up, at the last step.
    """
    start, top, end = values
    peak = warmup * steps - 1
    falling = (step - peak) / (steps - 1 - peak or 1.0)
    if peak <= 0:
        return cosine(top, end, falling)
    rising = step / peak
    if isinstance(rising, float | int):
        return cosine(start, top, rising) if rising <= 1 else cosine(top, end, falling)
    return cosine(start, top, rising).where(rising <= 1, cosine(top, end, falling))

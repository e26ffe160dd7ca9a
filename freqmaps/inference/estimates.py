"""Numbers with their 95 % intervals, and the mean difference of values that are paired by sample."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from freqmaps.core.errors import FreqmapsError

#: Standard errors on either side in an interval of 95 %.
Z95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; NaN bounds where there is none."""

    value: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0

    def overlaps(self, other: Estimate) -> bool:
        """Whether the two intervals have a number in common."""
        return self.low <= other.high and other.low <= self.high


@dataclass(frozen=True)
class Difference(Estimate):
    """A mean difference over ``n`` pairs, and its 95 % interval."""

    n: int


def difference_of(first: Estimate, second: Estimate) -> Estimate:
    """Return ``first - second`` of estimates on independent samples, with its 95 % interval.

    The distances of the two values from their bounds are added as squares (Zou & Donner, Statistics in Medicine 27,
    2008, 1693), as Newcombe does for two proportions. For values of the same images it is rather too wide.

    >>> difference_of(Estimate(5, 2, 9), Estimate(1, -3, 5))
    Estimate(value=4, low=-1.0, high=9.65685424949238)
    """
    change = first.value - second.value
    low = change - hypot(first.value - first.low, second.high - second.value)
    return Estimate(change, low, change + hypot(first.high - first.value, second.value - second.low))


def half_width(error: float, sd: float, networks: int) -> float:
    """Return half the width of the 95 % interval of a mean over networks that were measured on the same images.

    Networks whose trainings differ by the seed are a sample, of which Student's t knows how small it is; the images are
    another one, whose error the mean keeps, since all networks share it. The two are added as squares.

    Parameters
    ----------
    error
        The standard error over images, that of a network on average.
    sd
        The standard deviation over networks (n - 1); of no meaning with one.
    networks
        How many. Of one the interval is over images alone: it says nothing of another network.

    Examples
    --------
    >>> round(half_width(0.1, 0.0, 1), 3), round(half_width(0.1, 0.2, 4), 3), round(half_width(0.1, 0.2, 2), 3)
    (0.196, 0.374, 1.808)
    """
    over_images = Z95 * error
    if networks == 1:
        return over_images
    from scipy.special import stdtrit  # what reads no interval does not wait for SciPy

    return hypot(over_images, float(stdtrit(networks - 1, 0.975)) * sd / sqrt(networks))


def paired_difference(first: ArrayLike, second: ArrayLike) -> Difference | None:
    """Return the mean of ``first - second``, pair by pair.

    The interval is mean ± z sd / sqrt(n) of the differences. ASSUME: they are independent. Where partners are other
    images each map occurs in two of them, which the interval does not know.

    Parameters
    ----------
    first, second
        (n,) values, paired.

    Returns
    -------
    Difference or None
        None below 3 pairs.

    Raises
    ------
    FreqmapsError
        Arrays that are not of the same length.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise FreqmapsError(f"values of shapes {a.shape} and {b.shape} are not paired; give two arrays (n,)")
    paired, n = a - b, len(a)
    if n < 3:
        return None
    half = Z95 * float(paired.std(ddof=1)) / float(np.sqrt(n))
    mean = float(paired.mean())
    return Difference(mean, mean - half, mean + half, n)

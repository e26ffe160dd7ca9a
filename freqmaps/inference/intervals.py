"""Confidence intervals for means over few networks, and for a change in accuracy on the same images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb, isnan, nan, sqrt
from statistics import NormalDist, fmean, stdev, variance

from freqmaps.core.errors import FreqmapsError


@dataclass(frozen=True)
class MeanInterval:
    """A mean, the values' standard deviation, and the mean's interval.

    Attributes
    ----------
    mean
        NaN without a value.
    sd
        With n - 1; NaN below two values.
    low, high
        Bounds of Student's interval, NaN below two values.
    n
        Values that are not NaN.
    """

    mean: float
    sd: float
    low: float
    high: float
    n: int


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> MeanInterval:
    """Return ``mean ± t s / sqrt(n)``, Student's interval with n - 1 degrees of freedom; NaN values are left out.

    Parameters
    ----------
    values
        One number per network, say. Two of them give an interval twelve times as wide as their standard error, as
        they should: two say little about how far a third may lie.
    confidence
        Two-sided coverage in (0, 1).
    """
    known = _known(values)
    n = len(known)
    if n < 2:
        return MeanInterval(known[0] if known else nan, nan, nan, nan, n)
    mean, sd = fmean(known), stdev(known)
    half = _student(n - 1, confidence) * sd / sqrt(n)
    return MeanInterval(mean, sd, mean - half, mean + half, n)


def difference_interval(first: Sequence[float], second: Sequence[float], confidence: float = 0.95) -> MeanInterval:
    """Return the difference of two means with Welch's interval; NaN values are left out.

    Networks of two regimes share no random number, whatever their seeds are called, so they are not paired.

    Parameters
    ----------
    first, second
        One number per network of either regime.
    confidence
        Two-sided coverage in (0, 1).

    Returns
    -------
    MeanInterval
        ``mean``: of first less that of second; ``sd``: of the difference between one network of either; ``n``: the
        smaller count. Bounds and ``sd`` are NaN unless both have two values.
    """
    a, b = _known(first), _known(second)
    n = min(len(a), len(b))
    if n < 2:
        return MeanInterval(fmean(a) - fmean(b) if n else nan, nan, nan, nan, n)
    mean, spread = fmean(a) - fmean(b), (variance(a) / len(a), variance(b) / len(b))
    sd, error = sqrt(variance(a) + variance(b)), sqrt(sum(spread))
    if error == 0:
        return MeanInterval(mean, sd, mean, mean, n)
    # Welch and Satterthwaite's degrees of freedom.
    freedom = sum(spread) ** 2 / (spread[0] ** 2 / (len(a) - 1) + spread[1] ** 2 / (len(b) - 1))
    half = _student(freedom, confidence) * error
    return MeanInterval(mean, sd, mean - half, mean + half, n)


def _known(values: Sequence[float]) -> list[float]:
    return [float(v) for v in values if not isnan(v)]


def _student(freedom: float, confidence: float) -> float:
    from scipy.special import stdtrit  # what reads no interval does not wait for SciPy

    return float(stdtrit(freedom, 0.5 + confidence / 2))


@dataclass(frozen=True)
class PairedChange:
    """The change of an accuracy on the same images, from without to with something.

    Attributes
    ----------
    change
        ``(gained - lost) / n``, in [-1, 1]; NaN if there is no image.
    low, high
        Bounds of Tango's interval.
    p_value
        McNemar's exact test, two-sided, of "as many are gained as lost"; 1 if there are none of either.
    """

    change: float
    low: float
    high: float
    p_value: float


def paired_change(lost: int, gained: int, n: int, confidence: float = 0.95) -> PairedChange:
    """Return the change of an accuracy with the interval that its pairing allows.

    Images that are right both times, or wrong both times, say nothing about the change, so the interval is far
    narrower than those of the two accuracies. It is the score interval of Tango (Statistics in Medicine 17, 1998,
    891): all Δ with ``|gained - lost - n Δ| <= z sqrt(n (2 q + Δ (1 - Δ)))``, where q is the restricted maximum
    likelihood estimate of the probability of a loss. It is not empty where nothing changed.

    Parameters
    ----------
    lost, gained
        Images right without and wrong with it, and the other way round; ``lost + gained <= n``.
    n
        Images.
    confidence
        Two-sided coverage in (0, 1).

    Raises
    ------
    FreqmapsError
        Counts that cannot be.
    """
    if min(lost, gained) < 0 or lost + gained > n:
        raise FreqmapsError(f"{lost} lost and {gained} gained of {n} images cannot be; give counts of disjoint images")
    if n == 0:
        return PairedChange(nan, nan, nan, nan)
    z, change = NormalDist().inv_cdf(0.5 + confidence / 2), (gained - lost) / n

    def beyond(delta: float) -> float:
        spread = n * (2 * _loss_rate(lost, gained, n, delta) + delta * (1 - delta))
        return abs(gained - lost - n * delta) - z * sqrt(max(spread, 0.0))

    return PairedChange(change, _root(beyond, change, -1.0), _root(beyond, change, 1.0), _mcnemar(lost, gained))


def _loss_rate(lost: int, gained: int, n: int, delta: float) -> float:
    """Return the most likely probability of a loss if that of a gain is larger by ``delta`` (Tango's equation 6)."""
    b = -gained - lost + (2 * n - gained + lost) * delta
    c = -lost * delta * (1 - delta)
    return (sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)


def _root(beyond: Callable[[float], float], inside: float, outside: float) -> float:
    """Return where ``beyond`` turns positive between a point of the interval and an end of the range, by halving."""
    if beyond(outside) <= 0:
        return outside
    for _ in range(60):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if beyond(middle) > 0 else (middle, outside)
    return inside


def _mcnemar(lost: int, gained: int) -> float:
    """Return the two-sided binomial p-value of ``gained`` among all that changed, in whole numbers."""
    changed = lost + gained
    tail = sum(comb(changed, k) for k in range(min(lost, gained) + 1))
    return min(1.0, float(2 * tail / 2**changed))

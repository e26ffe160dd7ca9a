"""Confidence intervals for proportions, and which numbers count as zero in exact comparisons."""

from __future__ import annotations

from math import hypot, nan, sqrt
from statistics import NormalDist

#: A map's entry up to this counts as removed (Karantzas et al.: the complement of a mask is where M < 1e-8).
ZERO = 1e-8


def wilson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a binomial proportion (Wilson 1927, JASA 22:209).

    Unlike the normal approximation it stays in [0, 1] and is not empty at a share of 0 or 1, where strong attacks lie.

    Parameters
    ----------
    successes, n
        Counts, ``0 <= successes <= n``.
    confidence
        Two-sided coverage in (0, 1).

    Returns
    -------
    tuple of float
        Lower and upper bound; NaN both if ``n`` is 0.

    Examples
    --------
    >>> [round(b, 4) for b in wilson(9, 10)]
    [0.5958, 0.9821]
    """
    if n == 0:
        return nan, nan
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return (0.0 if successes == 0 else centre - half), (1.0 if successes == n else centre + half)


def difference_bounds(first: tuple[int, int], second: tuple[int, int], confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval of a proportion less another one of independent samples.

    Method 10 of Newcombe (Statistics in Medicine 17, 1998, 873): the distances of the two proportions from their Wilson
    bounds, added as squares. Two networks that are tested on the same images err together rather than against each
    other, so for them the interval is rather too wide.

    Parameters
    ----------
    first, second
        Successes and number of each, ``0 <= successes <= n``.
    confidence
        Two-sided coverage in (0, 1).

    Returns
    -------
    tuple of float
        Lower and upper bound; NaN both if either number is 0.

    Examples
    --------
    >>> [round(b, 4) for b in difference_bounds((56, 70), (48, 80))]
    [0.0524, 0.3339]
    """
    if not first[1] or not second[1]:
        return nan, nan
    p, q = first[0] / first[1], second[0] / second[1]
    (p_low, p_high), (q_low, q_high) = wilson(*first, confidence), wilson(*second, confidence)
    return p - q - hypot(p - p_low, q_high - q), p - q + hypot(p_high - p, q - q_low)

"""Spearman's rank correlation with a bootstrap interval over the pairs."""

from __future__ import annotations

from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

from freqmaps.core.errors import FreqmapsError
from freqmaps.inference.bootstrap import RESAMPLES
from freqmaps.inference.estimates import Estimate

#: Tells this stream from others of the same seed.
_STREAM = 122


def spearman(x: ArrayLike, y: ArrayLike, *, seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """Return Spearman's rank correlation, ties at their mean rank, with its 95 % percentile interval over pairs.

    Parameters
    ----------
    x, y
        (n,) values, paired; a pair with a NaN is left out.
    seed, resamples
        Of the bootstrap. Draws in which all of x or all of y are equal have no correlation and are left out.

    Returns
    -------
    Estimate
        In [-1, 1]; all NaN below 3 pairs or where x or y does not vary, bounds of NaN below 4 pairs.

    Raises
    ------
    FreqmapsError
        Arrays that are not of the same length.
    """
    first, second = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise FreqmapsError(f"values of shapes {first.shape} and {second.shape} are not paired; give two arrays (n,)")
    known = np.isfinite(first) & np.isfinite(second)
    first, second = first[known], second[known]
    n = len(first)
    value = float(_correlations(first[None], second[None])[0]) if n >= 3 else nan
    if n < 4 or np.isnan(value):
        return Estimate(value, nan, nan)
    drawn = np.random.default_rng([seed, _STREAM]).integers(n, size=(resamples, n))
    correlations = _correlations(first[drawn], second[drawn])
    low, high = np.nanquantile(correlations, (0.025, 0.975))
    return Estimate(value, float(low), float(high))


def _correlations(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rank correlation of each row, NaN where one side is constant."""
    from scipy.stats import rankdata  # what reads no interval does not wait for SciPy

    a, b = (rankdata(values, axis=1) for values in (x, y))
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlations = (a * b).sum(axis=1) / np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return np.asarray(correlations, dtype=np.float64)

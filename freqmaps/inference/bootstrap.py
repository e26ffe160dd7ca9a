"""Bootstrap of means over images (Efron & Tibshirani 1993, *An introduction to the bootstrap*, section 13.3)."""

from __future__ import annotations

from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Draws for an interval of 95 %: its ends then err by some 2 % of its width.
RESAMPLES = 2000

#: Tells this stream from others of the same seed.
_STREAM = 104
_DRAWN = 1 << 20


def bootstrap_means(values: NDArray[Any], resamples: int, seed: int) -> NDArray[np.float64]:
    """Return means over rows that are drawn with replacement.

    Columns are drawn together, so that differences and ratios of their means keep the pairing of the rows.

    Parameters
    ----------
    values
        (n,) or (n, columns), n > 0.
    resamples
        How many draws of n rows.
    seed
        Of the draws.

    Returns
    -------
    ndarray
        (resamples,) or (resamples, columns) float64.
    """
    rows = np.asarray(values, dtype=np.float64)
    rng = np.random.default_rng([seed, _STREAM])
    means = np.empty((resamples, *rows.shape[1:]))
    step = max(1, _DRAWN // len(rows))
    for start in range(0, resamples, step):
        part = means[start : start + step]
        part[:] = rows[rng.integers(len(rows), size=(len(part), len(rows)))].mean(axis=1)
    return means


def percentiles(draws: NDArray[np.float64], confidence: float = 0.95) -> tuple[float, float]:
    """Return the bounds between which the middle ``confidence`` of the draws lie; NaN both if one is not finite."""
    if not len(draws) or not np.isfinite(draws).all():
        return nan, nan
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)

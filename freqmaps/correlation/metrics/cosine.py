"""Cosine similarity of the two maps of each image; mean and spread over images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from freqmaps.correlation._api import Matrix, Metric, check_pair, undefined
from freqmaps.correlation._halves import METHOD, delete_half_error, half_samples
from freqmaps.inference.bootstrap import bootstrap_means, percentiles

TINY = {"subsamples": 3, "resamples": 50}
RANGES = {"subsamples": "[0, 10000]", "resamples": "[0, 1e6]"}
INTERVAL = "percentile bootstrap over images"

_ROWS = 1024


def compute(x: Matrix, y: Matrix, *, seed: int, subsamples: int = 20, resamples: int = 2000) -> Metric:
    """Compute ``x_i . y_i / (|x_i| |y_i|)`` for each row i, and their mean.

    Parameters
    ----------
    x, y
        (n, d) float32, rows paired.
    seed
        Of the half-samples and of the draws.
    subsamples
        Half-samples for the sampling error; 0 for none.
    resamples
        Draws of images, with replacement, for the interval of the mean; 0 for none. Rows drawn twice do no harm to
        a mean, as they do to neighbours and canonical correlations.

    Returns
    -------
    Metric
        ``value`` the mean and ``std`` the standard deviation (of the population, as published) over rows, in [-1, 1].
        ``per_sample``: (n,) each row's, NaN where either row is zero: such rows are counted as dropped.
        ``extra["standard_error"]``: sd / sqrt(n), which the half-samples' error tends to. NaN with a reason if all
        rows are dropped.

    Raises
    ------
    FreqmapsError
        NaN or infinity in the input, rows that do not pair, or rows of different length.
    """
    x, y = check_pair(x, y, same_width=True)
    each = _each(x, y)
    kept = each[np.isfinite(each)]
    n, dropped = len(kept), len(each) - len(kept)
    if n == 0:
        return undefined(len(each), "no row with a norm above 0 on both sides", n_dropped=dropped)
    means = np.array([kept[half].mean() if len(half) else np.nan for half in half_samples(n, subsamples, seed)])
    error, reason = delete_half_error(means, n)
    low, high = percentiles(bootstrap_means(kept, resamples, seed)) if n > 1 and resamples else (None, None)
    return Metric(
        float(kept.mean()),
        n,
        dropped,
        std=float(kept.std()),
        error=error,
        error_method=METHOD if error is not None else "",
        low=low,
        high=high,
        interval_method=INTERVAL if low is not None else "",
        extra={"standard_error": float(kept.std(ddof=1) / np.sqrt(n))} if n > 1 else {},
        per_sample=each,
        reason=reason,
    )


def _each(x: Matrix, y: Matrix) -> NDArray[np.float64]:
    each = np.full(len(x), np.nan)
    for start in range(0, len(x), _ROWS):
        a, b = x[start : start + _ROWS].astype(np.float64), y[start : start + _ROWS].astype(np.float64)
        norms = np.sqrt(np.einsum("ij,ij->i", a, a) * np.einsum("ij,ij->i", b, b))
        np.divide(np.einsum("ij,ij->i", a, b), norms, out=each[start : start + _ROWS], where=norms > 0)
    np.clip(each, -1.0, 1.0, out=each)
    return each

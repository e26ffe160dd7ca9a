"""The TwoNN estimator of intrinsic dimension, from the two nearest distances of each point.

Facco, d'Errico, Rodriguez & Laio 2017, *Estimating the intrinsic dimension of datasets by a minimal neighborhood
information*, Scientific Reports 7:12140. The ratio mu of the second to the first distance is Pareto distributed with
exponent d, so that ``-log(1 - F(mu)) = d log(mu)`` (eq. 8): d is the slope of a line through the origin.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

#: ASSUME: squared distances that agree to this relative difference are tied. It is what float32 cannot tell apart in a
#: sum of two; of points without ties, at dimension d, a share of about d * 5e-7 falls under it by chance.
_TIE = 1e-6


def twonn(
    first: NDArray[np.float32] | NDArray[np.float64], second: NDArray[np.float32] | NDArray[np.float64], fraction: float
) -> tuple[float, int]:
    """Estimate the intrinsic dimension.

    Parameters
    ----------
    first, second
        (n,) squared distances to the nearest and the second nearest neighbour; infinity where there is none.
    fraction
        Of the points, in ascending order of mu, that the line is fitted to, in (0, 1); the paper's 0.9 leaves out the
        largest ratios, which are the noisiest.

    Returns
    -------
    tuple
        The dimension, NaN if fewer than two points are left to fit; and the number N of points that are neither
        duplicates (distance 0) nor tied (mu = 1). The empirical distribution is F = i / N; the line is fitted to the
        first ``floor(N * fraction)`` points and never to the last, where F = 1.
    """
    a, b = first.astype(np.float64), second.astype(np.float64)
    usable = (a > 0) & (b > a * (1 + _TIE)) & np.isfinite(b)
    n = int(usable.sum())
    fitted = min(math.floor(n * fraction), n - 1)
    if fitted < 2:
        return math.nan, n
    log_mu = np.sort(0.5 * np.log(b[usable] / a[usable]))[:fitted]
    target = -np.log1p(-np.arange(1, fitted + 1) / n)
    return float(log_mu @ target / (log_mu @ log_mu)), n

"""The maximum likelihood estimate of intrinsic dimension, from the k nearest distances of each point.

Levina & Bickel 2004, *Maximum likelihood estimation of intrinsic dimension*, eq. 8, for one point; MacKay & Ghahramani
2005 for how to average over points: the mean of the inverses, since these are what is estimated without bias.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def levina_bickel(squared: NDArray[np.float32] | NDArray[np.float64], k: int) -> float:
    """Estimate the intrinsic dimension.

    Parameters
    ----------
    squared
        (n, n) squared distances; infinity on the diagonal.
    k
        Neighbours of each point, at least 2.

    Returns
    -------
    float
        ``1 / mean of (Σ_{j<k} log(T_k / T_j)) / (k − 1)`` over the points whose nearest neighbour is at a distance
        above 0. NaN where fewer than k neighbours are there, or no such point.
    """
    if k < 2 or len(squared) <= k:
        return math.nan
    nearest = np.sort(np.partition(squared, k - 1, axis=1)[:, :k].astype(np.float64), axis=1)
    nearest = nearest[nearest[:, 0] > 0]
    if len(nearest) == 0:
        return math.nan
    inverse = 0.5 * (np.log(nearest[:, -1:]) - np.log(nearest[:, :-1])).mean(axis=1).mean()
    return float(1 / inverse) if inverse > 0 else math.nan

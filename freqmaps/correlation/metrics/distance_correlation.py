"""Distance correlation: 0 only for independent data, whatever the kind of dependence; with a permutation test.

Szekely, Rizzo & Bakirov 2007, Annals of Statistics 35:2769 (the statistic); Szekely & Rizzo 2013, Journal of
Multivariate Analysis 117:193 (why and how to correct its bias in high dimension).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from freqmaps.correlation._api import Matrix, Metric, check_pair, undefined
from freqmaps.correlation._distances import squared_distances
from freqmaps.correlation._fewer import on_parts
from freqmaps.correlation._halves import half_samples, spread
from freqmaps.correlation._halves import permutations as draw_permutations
from freqmaps.correlation._pairs import Sums, biased, correlation, permuted_products, sums, unbiased
from freqmaps.correlation._rows import centred

TINY = {"permutations": 9, "subsamples": 3, "repeats": 1}
RANGES = {
    "permutations": "[0, 1e6]",
    "subsamples": "[0, 10000]",
    "repeats": "[0, 10000]",
    "block": "[1, 1e6]",
}
LIBRARIES = ("numba",)

_FEWEST = 4

#: Products over pairs that differ by less than this share are equal but for rounding.
_ROUNDING = 1e-12


def compute(
    x: Matrix,
    y: Matrix,
    *,
    seed: int,
    bias_corrected: bool = True,
    permutations: int = 100,
    subsamples: int = 20,
    repeats: int = 3,
    block: int = 512,
) -> Metric:
    """Compute ``dCor = sqrt(dCov^2(X, Y) / sqrt(dCov^2(X, X) dCov^2(Y, Y)))`` of Euclidean distances.

    Parameters
    ----------
    x, y
        (n, d1) and (n, d2) float32, rows paired.
    seed
        Of the permutations and of the half-samples.
    bias_corrected
        Estimate the squared distance covariances without bias. The plain value tends to 1 as features grow in number,
        for independent data too. The corrected ratio can be below 0, and ``value`` then is minus the root of its size.
    permutations
        Of the rows of Y, for the test: ``p = (1 + #{permuted dCov >= observed}) / (1 + permutations)``; 0 for none.
    subsamples
        Half-samples for the sampling error; 0 for none.
    repeats
        How often the rows are cut into halves and quarters for the value on fewer rows; 0 for never.
    block
        Rows of a tile at most: bounds the memory beside the two (n, n) float32 matrices.

    Returns
    -------
    Metric
        ``value`` in [0, 1], or [-1, 1] if corrected. ``extra["squared"]``: the ratio before the root. NaN with a reason
        for fewer than 4 rows, or a constant matrix.

    Raises
    ------
    FreqmapsError
        NaN or infinity in the input, or rows that do not pair.
    """
    x, y = check_pair(x, y)
    n = len(x)
    if n < _FEWEST:
        return undefined(n, f"distance_correlation needs at least {_FEWEST} rows, found {n}")
    a, b = (_distances(matrix, block) for matrix in (x, y))
    whole = sums(a, b, np.arange(n, dtype=np.int32))
    ratio = correlation(whole, debiased=bias_corrected)
    if not np.isfinite(ratio):
        return undefined(n, "a matrix has no spread in its distances (constant, or too few different rows)")
    value = _root(ratio)

    def on(rows: NDArray[np.int32]) -> float:
        return _root(correlation(sums(a, b, rows), debiased=bias_corrected))

    halves = half_samples(n, subsamples, seed) if n // 2 >= _FEWEST else np.empty((0, 0), np.int32)
    return Metric(
        value,
        n,
        p_value=_p_value(a, b, whole, draw_permutations(n, permutations, seed), bias_corrected),
        extra={"squared": ratio},
        **spread(value, np.array([on(half) for half in halves]), n),
        **on_parts(on, n, repeats, seed, fewest=_FEWEST),
    )


def _distances(x: Matrix, block: int) -> NDArray[np.float32]:
    squared = squared_distances(centred(x), block=block)
    return np.sqrt(squared, out=squared)


def _root(ratio: float) -> float:
    return math.copysign(math.sqrt(abs(ratio)), ratio)


def _p_value(
    a: NDArray[np.float32], b: NDArray[np.float32], whole: Sums, shuffles: NDArray[np.int32], corrected: bool
) -> float | None:
    """The denominator is the same for all permutations, so that the covariances alone are compared."""
    if len(shuffles) == 0:
        return None
    covariance = unbiased if corrected else biased
    # Distances are 0 on the diagonal: sums with and without it are the same.
    permuted = covariance(permuted_products(a, b, shuffles), whole.a, whole.b[shuffles])
    observed = float(covariance(whole.ab, whole.a, whole.b))
    slack = _ROUNDING * whole.ab / len(a) ** 2
    return float((1 + np.sum(np.asarray(permuted) >= observed - slack)) / (1 + len(shuffles)))

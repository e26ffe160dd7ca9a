"""Linear CKA: how alike the inner products of the rows of X and of Y are.

Kornblith, Norouzi, Lee & Hinton 2019, *Similarity of neural network representations revisited*, ICML, eq. (3).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from freqmaps.correlation._api import Matrix, Metric, check_pair, undefined
from freqmaps.correlation._distances import inner_products
from freqmaps.correlation._fewer import on_parts
from freqmaps.correlation._halves import half_samples, spread
from freqmaps.correlation._pairs import correlation, sums
from freqmaps.correlation._rows import centred

TINY = {"subsamples": 3, "repeats": 1}
RANGES = {"subsamples": "[0, 10000]", "repeats": "[0, 10000]", "block": "[1, 1e6]"}
LIBRARIES = ("numba",)

_FEWEST = 4


def compute(
    x: Matrix,
    y: Matrix,
    *,
    seed: int,
    debiased: bool = False,
    subsamples: int = 20,
    repeats: int = 3,
    block: int = 512,
) -> Metric:
    """Compute ``|Y^T X|_F^2 / (|X^T X|_F |Y^T Y|_F)`` of the centred matrices.

    Parameters
    ----------
    x, y
        (n, d1) and (n, d2) float32, rows paired.
    seed
        Of the half-samples.
    debiased
        Estimate the three terms without bias (Song et al. 2012, eq. 5): with more features than rows the plain value is
        high for unrelated data too. A debiased value can be below 0.
    subsamples
        Half-samples for the sampling error; 0 for none. Each is centred anew.
    repeats
        How often the rows are cut into halves and quarters for the value on fewer rows; 0 for never.
    block
        Rows of a tile at most: bounds the memory beside the two (n, n) float32 matrices.

    Returns
    -------
    Metric
        ``value`` in [0, 1] unless debiased; invariant to rotations of either side and to scale. NaN with a reason for
        fewer than 4 rows, or a constant matrix.

    Raises
    ------
    FreqmapsError
        NaN or infinity in the input, or rows that do not pair.
    """
    x, y = check_pair(x, y)
    n = len(x)
    if n < _FEWEST:
        return undefined(n, f"linear_cka needs at least {_FEWEST} rows, found {n}")
    a, b = (inner_products(centred(matrix), block=block) for matrix in (x, y))

    def on(rows: NDArray[np.int32]) -> float:
        return correlation(sums(a, b, rows), debiased=debiased)

    value = on(np.arange(n, dtype=np.int32))
    if not np.isfinite(value):
        return undefined(n, "a matrix has no spread (all its rows are equal, or too few for a debiased value)")
    halves = half_samples(n, subsamples, seed) if n // 2 >= _FEWEST else np.empty((0, 0), np.int32)
    fewer = on_parts(on, n, repeats, seed, fewest=_FEWEST)
    return Metric(value, n, **spread(value, np.array([on(half) for half in halves]), n), **fewer)

"""SVCCA: canonical correlations of two matrices reduced to their leading principal components.

Raghu, Gilmer, Yosinski & Sohl-Dickstein 2017, *SVCCA: Singular vector canonical correlation analysis for deep learning
dynamics and interpretability*, NeurIPS.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from freqmaps.correlation._api import Matrix, Metric, check_pair, undefined
from freqmaps.correlation._fewer import on_parts
from freqmaps.correlation._halves import half_samples, spread
from freqmaps.correlation._rows import Rows, centred

TINY = {"subsamples": 3, "repeats": 1}
NEUTRAL = {"reduction": "variance"}
RANGES = {"variance": "(0, 1)", "subsamples": "[0, 10000]", "repeats": "[0, 10000]"}

_BLOCK = 512
_FEWEST = 3


def compute(
    x: Matrix,
    y: Matrix,
    *,
    seed: int,
    variance: float = 0.99,
    subsamples: int = 20,
    repeats: int = 3,
    reduction: Literal["variance", "released"] = "variance",
) -> Metric:
    """Compute the mean canonical correlation of the leading components.

    Each matrix is centred and reduced to the fewest principal components that hold ``variance`` of its variance
    (``k_x`` and ``k_y``); the canonical correlations are the singular values of ``Q_x^T Q_y``, Q an orthonormal basis
    of the scores (Bjoerck & Golub 1973), and the value is the mean of all ``min(k_x, k_y)``.

    Parameters
    ----------
    x, y
        (n, d1) and (n, d2) float32, rows paired.
    seed
        Of the half-samples.
    variance
        Share of the variance to keep, in (0, 1).
    subsamples
        Half-samples for the sampling error; 0 for none. They keep the components of the whole.
    repeats
        How often the rows are cut into halves and quarters for the value on fewer rows; 0 for never. These have
        components of their own: it costs about as much again as ``2 * repeats`` times the value itself.
    reduction
        ``variance`` as above; ``released`` as the library does that B25's authors used: components of the matrix as it
        is, not centred, of which those are kept whose singular values, the largest first, sum to less than ``variance``
        of the sum of all. Their scores are centred before they are correlated.

    Returns
    -------
    Metric
        ``value`` in [0, 1]. ``extra``: ``components_x``, ``components_y``; ``chance``, the root mean square that
        unrelated data of this size would have, ``sqrt(max(k_x, k_y) / (n - 1))``; and ``trivial``, the number of
        correlations that are 1 whatever the data because ``k_x + k_y > n - 1``. NaN with a reason for fewer than 3
        rows, a constant matrix, or as many components as rows leave room for (then all would be 1).

    Raises
    ------
    FreqmapsError
        NaN or infinity in the input, or rows that do not pair.
    """
    x, y = check_pair(x, y)
    n = len(x)
    if n < _FEWEST:
        return undefined(n, f"svcca needs at least {_FEWEST} rows, found {n}")
    released = reduction == "released"
    bases = [_scores(matrix, variance, released=released) for matrix in (x, y)]
    small, large = sorted(basis.shape[1] for basis in bases)
    extra = {f"components_{name}": float(b.shape[1]) for name, b in zip("xy", bases, strict=True)}
    if small == 0:
        return undefined(n, "a matrix is constant: it has no components to correlate", extra=extra)
    extra |= {"chance": float(np.sqrt(large / (n - 1))), "trivial": float(max(0, small + large - (n - 1)))}
    if large >= n - 1:
        reason = f"{large} components of {n} centred rows: every canonical correlation is 1, take more rows"
        return undefined(n, reason, extra=extra)
    value = _mean_correlation(*bases)

    def on(rows: NDArray[np.int32]) -> float:
        parts = [_scores(matrix[rows], variance, released=released) for matrix in (x, y)]
        few, many = sorted(part.shape[1] for part in parts)
        return _mean_correlation(*parts) if few > 0 and many < len(rows) - 1 else float("nan")

    fewer = on_parts(on, n, repeats, seed, fewest=_FEWEST)
    return Metric(value, n, extra=extra, **_spread(value, bases, half_samples(n, subsamples, seed), n), **fewer)


def _scores(matrix: Matrix, variance: float, *, released: bool) -> NDArray[np.float64]:
    """Return orthonormal centred scores of the components that a matrix is reduced to, (n, k)."""
    if not released:
        return _basis(centred(matrix), variance)
    d = matrix.shape[1]
    scores = _basis(Rows(matrix, np.zeros(d), np.ones(d)), variance, released=True)
    return np.linalg.qr(scores - scores.mean(axis=0))[0]


def _basis(rows: Rows, variance: float, *, released: bool = False) -> NDArray[np.float64]:
    """Orthonormal scores of the leading components, (n, k), by the eigenvectors of the smaller product matrix.

    Squaring costs nothing here: components below a share of about 1e-12 of the variance would suffer, and are cut off.
    """
    n, d = rows.source.shape
    if d <= n:
        product = np.zeros((d, d))
        for start, stop in rows.ranges(_BLOCK):
            tile = rows.tile(start, stop)
            product += tile.T @ tile
    else:
        product = np.empty((n, n))
        for i, j, a, b in rows.pairs(_BLOCK):
            product[i, j] = a @ b.T
            product[j, i] = product[i, j].T
    values, vectors = eigh(product, overwrite_a=True, check_finite=False, driver="evd")
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    k = _components(values, variance) if not released else _fewer_components(np.sqrt(values), variance)
    if d > n:
        return np.ascontiguousarray(vectors[:, :k])
    loadings = vectors[:, :k] / np.sqrt(values[:k])
    return np.vstack([rows.tile(*part) @ loadings for part in rows.ranges(_BLOCK)])


def _components(values: NDArray[np.float64], variance: float) -> int:
    total = float(values.sum())
    if total <= 0:
        return 0
    # A share that is reached but for rounding is reached.
    return int(np.searchsorted(np.cumsum(values) / total, variance - 1e-12)) + 1


def _fewer_components(singular: NDArray[np.float64], share: float) -> int:
    total = float(singular.sum())
    return int((np.cumsum(singular) / total < share).sum()) if total > 0 else 0


def _mean_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(np.clip(np.linalg.svd(a.T @ b, compute_uv=False), 0, 1).mean())


def _spread(value: float, bases: list[NDArray[np.float64]], halves: NDArray[np.int32], n: int) -> dict[str, Any]:
    if max(basis.shape[1] for basis in bases) >= n // 2 - 1:
        return {"reason": "no sampling error: half-samples have no more rows than components"}
    values = []
    for half in halves:
        parts = [np.linalg.qr(basis[half] - basis[half].mean(axis=0))[0] for basis in bases]
        values.append(_mean_correlation(parts[0], parts[1]))
    return spread(value, np.array(values), n)

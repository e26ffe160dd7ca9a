"""All squared distances or inner products between the rows of a matrix, once, as float32, tile by tile.

Tiles are float64 matrix products: an inner product's rounding error is then far below float32's, so that what is
stored is the true value rounded, except where two rows almost coincide. Those few pairs are computed from their
difference, and equal rows get equal distances to everything: zeros and ties come out as such.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from freqmaps.correlation._api import Matrix
from freqmaps.correlation._rows import Rows

#: Below this share of the squared norms a squared distance is computed from the difference: a float64 product of
#: thousands of terms leaves an error of about 1e-15 of the norms, 1e-7 of such a distance.
_NEAR = 1e-8
_DIFFERENCE_BYTES = 1 << 23


def squared_distances(rows: Rows, *, block: int = 512, diagonal: float = 0.0) -> NDArray[np.float32]:
    """Return ``|r_i - r_j|^2`` for all pairs of rows.

    Parameters
    ----------
    rows
        n rows.
    block
        Rows of a tile at most; bounds memory, decides no number beyond rounding.
    diagonal
        What to put on the diagonal: infinity where a row is no neighbour of itself.

    Returns
    -------
    ndarray
        (n, n) float32, symmetric; exactly 0 for equal rows of the source, and exactly the same for either of them.
    """
    n = len(rows)
    out = np.empty((n, n), np.float32)
    twin = first_equal(rows.source)
    for i, j, a, b in rows.pairs(block):
        tile = _tile(a, b, twin[i, None] == twin[None, j])
        out[i, j] = tile
        out[j, i] = tile.T
    _copy_twins(out, twin, block)
    np.fill_diagonal(out, diagonal)
    return out


def inner_products(rows: Rows, *, block: int = 512) -> NDArray[np.float32]:
    """Return ``r_i . r_j`` for all pairs of rows: (n, n) float32, symmetric; see :func:`squared_distances`."""
    n = len(rows)
    out = np.empty((n, n), np.float32)
    for i, j, a, b in rows.pairs(block):
        tile = a @ b.T
        out[i, j] = tile
        out[j, i] = tile.T
    return out


def first_equal(x: Matrix) -> NDArray[np.int64]:
    """Return for each row the first row that equals it entry by entry: (n,) int64."""
    seen: dict[bytes, int] = {}
    # Adding 0 turns -0 into 0, which is equal but has other bytes.
    digests = (hashlib.blake2b(row + np.float32(0), digest_size=16).digest() for row in x)
    return np.array([seen.setdefault(digest, i) for i, digest in enumerate(digests)], dtype=np.int64)


def _tile(a: NDArray[np.float64], b: NDArray[np.float64], equal: NDArray[np.bool_]) -> NDArray[np.float64]:
    norms = np.einsum("ij,ij->i", a, a)[:, None] + np.einsum("ij,ij->i", b, b)
    tile = a @ b.T
    tile *= -2
    tile += norms
    near = tile <= _NEAR * norms
    near &= ~equal
    _from_differences(tile, a, b, near)
    tile[equal] = 0
    return tile


def _from_differences(
    tile: NDArray[np.float64], a: NDArray[np.float64], b: NDArray[np.float64], near: NDArray[np.bool_]
) -> None:
    i, j = np.nonzero(near)
    step = max(1, _DIFFERENCE_BYTES // (8 * a.shape[1]))
    for start in range(0, len(i), step):
        part = slice(start, start + step)
        difference = a[i[part]] - b[j[part]]
        tile[i[part], j[part]] = np.einsum("ij,ij->i", difference, difference)


def _copy_twins(out: NDArray[np.float32], twin: NDArray[np.int64], block: int) -> None:
    """Give equal rows equal distances: matrix products round equal rows differently at the edge of a tile."""
    repeated = np.flatnonzero(twin != np.arange(len(twin)))
    if len(repeated) == 0:
        return
    for start in range(0, len(out), block):
        out[start : start + block, repeated] = out[start : start + block, twin[repeated]]
    for start in range(0, len(repeated), block):
        out[repeated[start : start + block]] = out[twin[repeated[start : start + block]]]

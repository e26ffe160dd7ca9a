"""All squared distances or inner products between the rows of a matrix, once, as float32, tile by tile.

Distances come from a float32 matrix product of each two tiles, which errs by a few 1e-7 of the rows' squared norms.
Where rows lie close together that is much of their distance: such pairs are computed from their difference in float64,
or, where a tile has many of them, the tile from a float64 product first. Equal rows get distance 0, and equal
distances to everything, so that duplicates and the ties they cause come out as such.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from freqmaps.correlation._api import Matrix
from freqmaps.correlation._rows import Rows

#: Below this share of the squared norms a squared distance of a float32 (a float64) product is not good enough: its
#: relative error there is about 1e-5 (1e-7).
_NEAR_SINGLE, _NEAR_DOUBLE = 2.0**-6, 1e-8
#: A tile with a larger share of such pairs is cheaper to compute again as a float64 product than pair by pair.
_MANY = 2e-3
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
    twin = np.arange(len(x), dtype=np.int64)
    # Equal rows have equal sums; only rows that share theirs need be compared.
    _, label, count = np.unique(x.sum(axis=1, dtype=np.float64), return_inverse=True, return_counts=True)
    seen: dict[tuple[int, bytes], int] = {}
    for i in np.flatnonzero(count[label] > 1):
        # Adding 0 turns -0 into 0, which is equal but has other bytes.
        content = hashlib.sha256(x[i] + np.float32(0)).digest()
        twin[i] = seen.setdefault((int(label[i]), content), int(i))
    return twin


def _tile(a: NDArray[np.float64], b: NDArray[np.float64], equal: NDArray[np.bool_]) -> Matrix:
    norms = np.einsum("ij,ij->i", a, a)[:, None] + np.einsum("ij,ij->i", b, b)
    single = a.astype(np.float32)
    tile: Matrix = _expand(single @ (single.T if b is a else b.astype(np.float32).T), norms.astype(np.float32))
    near = (tile < _NEAR_SINGLE * norms) & ~equal
    if near.mean() > _MANY:
        tile = _expand(a @ b.T, norms)
        near = (tile < _NEAR_DOUBLE * norms) & ~equal
    _from_differences(tile, a, b, near)
    tile[equal] = 0
    return tile


def _expand(products: Matrix, norms: Matrix) -> Matrix:
    """``|a|^2 + |b|^2 - 2 a.b`` in place of ``a.b``."""
    products *= -2
    products += norms
    return products


def _from_differences(tile: Matrix, a: NDArray[np.float64], b: NDArray[np.float64], near: NDArray[np.bool_]) -> None:
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

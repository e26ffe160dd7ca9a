"""Statistics of two (n, n) matrices of pairs (inner products or distances): centred products, biased and unbiased.

With H the centring matrix, ``tr(H A H B)`` is the numerator of CKA (A, B inner products) and of the squared distance
covariance (A, B distances). Both have the same unbiased form, which leaves out the diagonals (Song, Smola, Gretton,
Bedo & Borgwardt 2012, JMLR 13:1393, eq. 5; Szekely & Rizzo 2014, Annals of Statistics 42:2382, eq. 2.5, is the same
number). It needs only sums over pairs and over rows, so that a half-sample or a permutation is one pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freqmaps.correlation._jit import compiled, over_rows

Floats = NDArray[np.float32]
Indices = NDArray[np.int32]
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Sums:
    """Sums over the rows and columns of one selection, diagonals apart.

    Attributes
    ----------
    ab, aa, bb
        Sums of products over pairs of different rows.
    a, b
        (m,) float64: row sums without the diagonal.
    diagonal_a, diagonal_b
        (m,) float64.
    """

    ab: float
    aa: float
    bb: float
    a: Doubles
    b: Doubles
    diagonal_a: Doubles
    diagonal_b: Doubles


def sums(a: Floats, b: Floats, chosen: Indices) -> Sums:
    """Sum over ``a[chosen][:, chosen]`` and the same of b, without making them.

    Parameters
    ----------
    a, b
        (n, n) float32, symmetric.
    chosen
        (m,) int32, ascending.
    """
    rows = np.zeros((len(chosen), 5))
    over_rows(lambda start, stop: _sum_rows(a, b, chosen, start, stop, rows), len(chosen))
    ab, aa, bb = rows[:, :3].sum(axis=0)
    diagonals = (m.diagonal()[chosen].astype(np.float64) for m in (a, b))
    return Sums(float(ab), float(aa), float(bb), rows[:, 3], rows[:, 4], *diagonals)


def permuted_products(a: Floats, b: Floats, permutations: Indices) -> Doubles:
    """Return ``sum_{i != j} a[i, j] b[p_i, p_j]`` for each permutation p: (permutations,) float64.

    Parameters
    ----------
    a, b
        (n, n) float32, symmetric.
    permutations
        (permutations, n) int32.
    """
    rows = np.zeros((len(a), len(permutations)))
    unsigned = permutations.astype(np.uint32)
    over_rows(lambda start, stop: _permute_rows(a, b, unsigned, start, stop, rows), len(a))
    products: Doubles = 2 * rows.sum(axis=0)
    return products


def unbiased(product: float | Doubles, a: Doubles, b: Doubles) -> float | Doubles:
    """Return the unbiased estimate of ``tr(H A H B) / n^2`` from sums without diagonals.

    Parameters
    ----------
    product
        Sum of products over pairs of different rows; or several, one per row of ``b``.
    a, b
        Row sums without diagonals: (m,), m > 3, and (..., m).
    """
    n = a.shape[-1]
    total = a.sum() * b.sum(axis=-1) / ((n - 1) * (n - 2))
    estimate: Doubles = (product + total - 2 / (n - 2) * (b @ a)) / (n * (n - 3))
    return estimate


def biased(product: float | Doubles, a: Doubles, b: Doubles) -> float | Doubles:
    """Return ``tr(H A H B) / n^2`` from sums with diagonals; parameters as in :func:`unbiased`."""
    n = a.shape[-1]
    value: Doubles = (product - 2 / n * (b @ a) + a.sum() * b.sum(axis=-1) / n**2) / n**2
    return value


def correlation(s: Sums, *, debiased: bool) -> float:
    """Return the centred product of A and B over the geometric mean of those of A and of B with itself.

    NaN where A or B has no spread.
    """
    if debiased:
        parts = (unbiased(s.ab, s.a, s.b), unbiased(s.aa, s.a, s.a), unbiased(s.bb, s.b, s.b))
    else:
        a, b = s.a + s.diagonal_a, s.b + s.diagonal_b
        parts = (
            biased(s.ab + s.diagonal_a @ s.diagonal_b, a, b),
            biased(s.aa + s.diagonal_a @ s.diagonal_a, a, a),
            biased(s.bb + s.diagonal_b @ s.diagonal_b, b, b),
        )
    both, one, other = (float(part) for part in parts)
    if one <= 0 or other <= 0:
        return float("nan")
    return both / float(np.sqrt(one) * np.sqrt(other))


@compiled
def _sum_rows(a: Floats, b: Floats, chosen: Indices, start: int, stop: int, out: Doubles) -> None:
    for k in range(start, stop):
        row_a, row_b = a[chosen[k]], b[chosen[k]]
        ab = aa = bb = sum_a = sum_b = 0.0
        for other in range(chosen.shape[0]):
            if other == k:
                continue
            j = np.uint32(chosen[other])
            u, v = np.float64(row_a[j]), np.float64(row_b[j])
            ab += u * v
            aa += u * u
            bb += v * v
            sum_a += u
            sum_b += v
        out[k, 0], out[k, 1], out[k, 2], out[k, 3], out[k, 4] = ab, aa, bb, sum_a, sum_b


@compiled
def _permute_rows(a: Floats, b: Floats, permutations: NDArray[np.uint32], start: int, stop: int, out: Doubles) -> None:
    for i in range(start, stop):
        row = a[i]
        for c in range(permutations.shape[0]):
            partner = permutations[c]
            other = b[partner[i]]
            total = 0.0
            # Both matrices are symmetric: the pairs above the diagonal are those below it.
            for j in range(i):
                total += np.float64(row[j]) * np.float64(other[partner[j]])
            out[i, c] = total

"""The two nearest neighbours in [X, Y], and in X with Y's rows permuted, from the distances in X and in Y.

``|(x, y) - (x', y')|^2 = |x - x'|^2 + |y - y'|^2``: with both matrices of squared distances at hand, a permutation
of Y is one pass over pairs that keeps the two smallest sums of each row. A row of X is sorted into buckets once, for
all permutations; a pass takes them in ascending order and ends when no sum to come can be among the two smallest.
The result is that of the full pass, exactly: rounding is monotone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from freqmaps.correlation._jit import compiled, over_rows

_BUCKETS = 256
Floats = NDArray[np.float32]


def two_smallest(a: Floats, b: Floats | None, partners: NDArray[np.int32]) -> tuple[Floats, Floats]:
    """Return the two smallest ``a[i, j] + b[partners[c, i], partners[c, j]]`` over all j, for each i and each case c.

    Parameters
    ----------
    a, b
        (n, n) float32 squared distances with infinity on the diagonal; None counts as zero.
    partners
        (cases, n) int32. A case is a permutation of the rows of b, or the rows themselves with -1 for those that it
        leaves out.

    Returns
    -------
    tuple of ndarray
        (cases, n) float32 each: the smallest and the second smallest sum; infinity where there are too few rows, or
        the row is left out.
    """
    other = np.broadcast_to(np.float32(0), a.shape) if b is None else b
    # Infinity on the diagonal keeps it out of the minimum.
    floor = other.min(axis=1) if len(other) else np.empty(0, np.float32)
    first, second = (np.full(partners.shape, np.inf, np.float32) for _ in range(2))
    over_rows(lambda start, stop: _pass(a, other, floor, partners, start, stop, first, second), len(a))
    return first, second


@compiled
def _sort(row: Floats, i: int, order: NDArray[np.int32], values: Floats, ends: NDArray[np.int64], lows: Floats) -> None:
    """Sort a row without its entry i into buckets of ascending value.

    Bucket k is then ``order[ends[k - 1]:ends[k]]`` with those ``values``, and ``lows[k]`` the least of them.
    """
    low, high = np.float32(np.inf), np.float32(-np.inf)
    for j in range(row.shape[0]):
        if j != i:
            low, high = min(low, row[j]), max(high, row[j])
    scale = np.float64(_BUCKETS - 0.01) / (high - low) if high > low else 0.0
    ends[:] = 0
    lows[:] = np.inf
    for j in range(row.shape[0]):
        if j != i:
            k = int((row[j] - low) * scale)
            ends[k + 1] += 1
            lows[k] = min(lows[k], row[j])
    for k in range(_BUCKETS):
        ends[k + 1] += ends[k]
    for j in range(row.shape[0]):
        if j != i:
            k = int((row[j] - low) * scale)
            order[ends[k]] = j
            values[ends[k]] = row[j]
            ends[k] += 1


@compiled
def _pass(
    a: Floats,
    b: Floats,
    floor: Floats,
    partners: NDArray[np.int32],
    start: int,
    stop: int,
    first: Floats,
    second: Floats,
) -> None:
    n = a.shape[1]
    order, values = np.empty(n, np.int32), np.empty(n, np.float32)
    ends, lows = np.empty(_BUCKETS + 1, np.int64), np.empty(_BUCKETS, np.float32)
    for i in range(start, stop):
        _sort(a[i], i, order, values, ends, lows)
        for c in range(partners.shape[0]):
            partner = partners[c]
            if partner[i] < 0:
                continue
            # Unsigned indices: numba then does not look for negative ones.
            other, least = b[np.uint32(partner[i])], floor[np.uint32(partner[i])]
            nearest, next_nearest, t = np.float32(np.inf), np.float32(np.inf), 0
            for k in range(_BUCKETS):
                if t == ends[k]:
                    continue
                if lows[k] + least >= next_nearest:
                    break
                while t < ends[k]:
                    p = partner[np.uint32(order[t])]
                    if p >= 0:
                        s = values[t] + other[np.uint32(p)]
                        if s < next_nearest:
                            if s < nearest:
                                next_nearest, nearest = nearest, s
                            else:
                                next_nearest = s
                    t += 1
            first[c, i], second[c, i] = nearest, next_nearest

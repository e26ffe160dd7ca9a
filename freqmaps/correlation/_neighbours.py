"""The two nearest neighbours in [X, Y], and in X with Y's rows permuted, from the distances in X and in Y.

``|(x, y) - (x', y')|^2 = |x - x'|^2 + |y - y'|^2``: with both matrices of squared distances at hand, a permutation
of Y is one pass over pairs that keeps the two smallest sums of each row. Three things make the pass short:

* a row of X is sorted once, roughly, for all permutations; a pass takes it in ascending order, and ends when no sum to
  come can be among the two smallest (the result is that of the full pass, exactly: rounding is monotone);
* sums are formed a chunk at a time, in vector units, and looked at one by one only if the least of them matters;
* a block of rows is worked off in the order of the rows of Y that its permutations ask for, so that a row of Y is
  fetched from memory once per block.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from freqmaps.correlation._jit import compiled, over_rows

_BUCKETS = 256
_CHUNK = 32
#: Rows of X per block.
_BLOCK = 256

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]


def two_smallest(a: Floats, b: Floats | None, partners: Integers) -> tuple[Floats, Floats]:
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
    over_rows(lambda start, stop: _block(a, other, floor, partners, start, stop, first, second), len(a), _BLOCK)
    return first, second


@compiled
def _sort(row: Floats, i: int, order: Integers, values: Floats, least: Floats) -> None:
    """Sort a row without its entry i into buckets of ascending value, and pad it to whole chunks.

    ``order`` and ``values`` (padded with infinity) are the result; ``least[k]`` is the smallest value from chunk k on.
    """
    n = row.shape[0]
    low, high = np.float32(np.inf), np.float32(-np.inf)
    for j in range(n):
        if j != i:
            low, high = min(low, row[j]), max(high, row[j])
    scale = np.float64(_BUCKETS - 0.01) / (high - low) if high > low else 0.0
    ends = np.zeros(_BUCKETS + 1, np.int64)
    for j in range(n):
        if j != i:
            ends[int((row[j] - low) * scale) + 1] += 1
    for k in range(_BUCKETS):
        ends[k + 1] += ends[k]
    order[n - 1 :], values[n - 1 :] = 0, np.inf
    for j in range(n):
        if j != i:
            k = int((row[j] - low) * scale)
            order[ends[k]], values[ends[k]] = j, row[j]
            ends[k] += 1
    smallest = np.float32(np.inf)
    for k in range(least.shape[0] - 1, -1, -1):
        for t in range(k * _CHUNK, (k + 1) * _CHUNK):
            smallest = min(smallest, values[t])
        least[k] = smallest


@compiled
def _scan(
    order: Integers, values: Floats, least: Floats, other: Floats, floor: float, partner: Integers, sums: Floats
) -> tuple[np.float32, np.float32]:
    """Return the two smallest ``values[t] + other[partner[order[t]]]``; negative partners are left out."""
    nearest, next_nearest = np.float32(np.inf), np.float32(np.inf)
    for k in range(least.shape[0]):
        if least[k] + floor >= next_nearest:
            break
        smallest = np.float32(np.inf)
        for u in range(_CHUNK):
            # Unsigned indices: numba then does not look for negative ones.
            p = partner[np.uint32(order[k * _CHUNK + u])]
            s = values[k * _CHUNK + u] + other[np.uint32(max(p, 0))]
            s = s if p >= 0 else np.float32(np.inf)
            sums[u] = s
            smallest = min(smallest, s)
        if smallest < next_nearest:
            for u in range(_CHUNK):
                s = sums[u]
                if s < nearest:
                    nearest, next_nearest = s, nearest
                elif s < next_nearest:
                    next_nearest = s
    return nearest, next_nearest


@compiled
def _by_partner(partners: Integers, start: int, stop: int) -> tuple[Integers, Integers]:
    """Return all (row, case) of a block in ascending order of the row's partner, by counting sort."""
    cases, n = partners.shape
    ends = np.zeros(n + 1, np.int64)
    for c in range(cases):
        for i in range(start, stop):
            if partners[c, i] >= 0:
                ends[partners[c, i] + 1] += 1
    for r in range(n):
        ends[r + 1] += ends[r]
    rows, numbers = np.empty(ends[n], np.int32), np.empty(ends[n], np.int32)
    for c in range(cases):
        for i in range(start, stop):
            if partners[c, i] >= 0:
                t = ends[partners[c, i]]
                rows[t], numbers[t] = i, c
                ends[partners[c, i]] += 1
    return rows, numbers


@compiled
def _block(
    a: Floats, b: Floats, floor: Floats, partners: Integers, start: int, stop: int, first: Floats, second: Floats
) -> None:
    chunks = (a.shape[1] + _CHUNK - 1) // _CHUNK
    order = np.empty((stop - start, chunks * _CHUNK), np.int32)
    values = np.empty((stop - start, chunks * _CHUNK), np.float32)
    least = np.empty((stop - start, chunks), np.float32)
    for i in range(start, stop):
        _sort(a[i], i, order[i - start], values[i - start], least[i - start])
    rows, cases = _by_partner(partners, start, stop)
    sums = np.empty(_CHUNK, np.float32)
    for t in range(rows.shape[0]):
        i, c = rows[t], cases[t]
        k, partner = i - start, partners[c, i]
        first[c, i], second[c, i] = _scan(order[k], values[k], least[k], b[partner], floor[partner], partners[c], sums)

"""Maps to rows: pooled by a whole factor, then flattened."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from freqmaps.errors import FreqmapsError


def pool(maps: NDArray[np.float32], size: int | None, how: Literal["mean", "max"]) -> NDArray[np.float32]:
    """Pool maps over squares of neighbouring frequencies and flatten them.

    Parameters
    ----------
    maps
        (n, c, h, w) float32.
    size
        Frequencies per axis afterwards; must divide h and w. None keeps all.
    how
        ``mean`` averages over each square (in float64), ``max`` takes the largest.

    Returns
    -------
    ndarray
        (n, c * size * size) float32, or (n, c * h * w) without pooling; channel first, then ky, then kx.

    Raises
    ------
    FreqmapsError
        ``size`` does not divide the maps' height and width.
    """
    n, c, h, w = maps.shape
    if size is None or (h, w) == (size, size):
        return np.ascontiguousarray(maps, dtype=np.float32).reshape(n, c * h * w)
    if size < 1 or h % size or w % size:
        raise FreqmapsError(
            f"matrices.size: maps of {h}x{w} cannot be pooled to {size}x{size}; choose a size that divides both"
        )
    squares = maps.reshape(n, c, size, h // size, size, w // size)
    pooled = squares.mean(axis=(3, 5), dtype=np.float64) if how == "mean" else squares.max(axis=(3, 5))
    flat: NDArray[np.float32] = pooled.astype(np.float32).reshape(n, c * size * size)
    return flat

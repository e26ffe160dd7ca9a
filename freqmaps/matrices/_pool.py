"""Turn each map into a row of a matrix: pooled by a whole factor, then flattened."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from freqmaps.core.errors import FreqmapsError


def pool(maps: NDArray[np.float32], size: int | None, how: Literal["mean", "max"]) -> NDArray[np.float32]:
    """Pool maps over squares of neighbouring coefficients and flatten them.

    Parameters
    ----------
    maps
        (n, ..., h, w) float32: channels, or parts and channels, before the plane.
    size
        Coefficients per axis afterwards; must divide h and w. None keeps all.
    how
        ``mean`` averages over each square (in float64), ``max`` takes the largest.

    Returns
    -------
    ndarray
        (n, c * size * size) float32, or (n, c * h * w) without pooling, in the order of the axes; c is all that stands
        before the plane.

    Raises
    ------
    FreqmapsError
        ``size`` does not divide the maps' height and width.
    """
    n, h, w = maps.shape[0], *maps.shape[-2:]
    c = math.prod(maps.shape[1:-2])
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

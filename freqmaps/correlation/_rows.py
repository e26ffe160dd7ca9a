"""Centred and scaled rows of a matrix for the metrics, computed in float64 a few rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freqmaps.correlation._api import Matrix

#: A tile of rows takes at most this many bytes as float64, however wide the matrix.
_TILE_BYTES = 1 << 26
_PASS_ROWS = 256


@dataclass(frozen=True)
class Rows:
    """A matrix of which only tiles exist in float64.

    Attributes
    ----------
    source
        (n, d) float32 or float64.
    centre, scale
        (d,) float64: a row becomes ``(row - centre) * scale``. The scale of a constant feature is 0.
    unit
        Then divide each row by its Euclidean norm, unless that is 0.
    """

    source: Matrix
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    unit: bool = False

    def __len__(self) -> int:
        return len(self.source)

    def tile(self, start: int, stop: int) -> NDArray[np.float64]:
        """Return rows ``start`` to ``stop``: (stop - start, d) float64."""
        tile = self.source[start:stop] - self.centre
        tile *= self.scale
        if self.unit:
            norm = np.sqrt(np.einsum("ij,ij->i", tile, tile))
            tile /= np.where(norm > 0, norm, 1.0)[:, None]
        return tile

    def ranges(self, block: int) -> list[tuple[int, int]]:
        """Cover the rows by ranges of at most ``block`` rows, fewer if those would be too wide for memory."""
        step = max(1, min(block, _TILE_BYTES // (8 * self.source.shape[1])))
        return [(start, min(len(self), start + step)) for start in range(0, len(self), step)]

    def pairs(self, block: int) -> Iterator[tuple[slice, slice, NDArray[np.float64], NDArray[np.float64]]]:
        """Yield all pairs of tiles on and above the diagonal, with the rows that each covers."""
        ranges = self.ranges(block)
        for number, first in enumerate(ranges):
            a = self.tile(*first)
            for second in ranges[number:]:
                b = a if second == first else self.tile(*second)
                yield slice(*first), slice(*second), a, b


def standardised(x: Matrix, *, constant: float = 0.0) -> Rows:
    """Each feature to mean 0 and standard deviation 1 (constant features to 0), then each row to norm 1.

    That is what Basile et al. do to maps before they estimate intrinsic dimensions.

    Parameters
    ----------
    x
        (n, d).
    constant
        Above 0 features are divided by the unbiased standard deviation (n - 1) plus this, as in the authors' code, so
        that those which hardly vary count less.
    """
    centre, variance = _moments(x)
    scale = np.zeros_like(variance)
    unbiased = len(x) / max(len(x) - 1, 1) if constant else 1.0
    deviation = np.sqrt(variance * unbiased) + constant
    np.divide(1.0, deviation, out=scale, where=variance > 0)
    return Rows(x, centre, scale, unit=True)


def centred(x: Matrix) -> Rows:
    """Each feature to mean 0, all by one factor to a mean squared row norm of 1 (metrics here ignore scale)."""
    centre, variance = _moments(x)
    total = float(variance.sum())
    return Rows(x, centre, np.where(variance > 0, 1 / np.sqrt(total) if total > 0 else 0.0, 0.0))


def _moments(x: Matrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance of each feature; a constant feature's variance is 0 exactly, whatever rounding makes of it."""
    centre: NDArray[np.float64] = np.mean(x, axis=0, dtype=np.float64)
    total = np.zeros(x.shape[1])
    for start in range(0, len(x), _PASS_ROWS):
        part: NDArray[Any] = x[start : start + _PASS_ROWS] - centre
        total += np.einsum("ij,ij->j", part, part)
    return centre, np.where(x.max(axis=0) == x.min(axis=0), 0.0, total / len(x))

"""Edges of grey pictures (Canny, "A computational approach to edge detection", PAMI 1986) and equalised histograms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Up to this slope an edge's direction counts as that of an axis: the tangent of 22.5 degrees.
_SLOPE = np.sqrt(2) - 1


def edges(grey: NDArray[np.uint8], low: float, high: float) -> NDArray[np.bool_]:
    """Return where a grey picture (h, w) has an edge: ridges of its gradient that are, or touch, steep enough ones.

    Parameters
    ----------
    grey
        (h, w) in 0..255.
    low, high
        Limits of the sum of the absolute Sobel derivatives: ridges above the lower are edges if they are connected,
        diagonals included, to one above the upper.
    """
    down, across = (ndimage.sobel(grey.astype(np.int64), axis=axis, mode="nearest") for axis in (0, 1))
    ridges = _ridges(down, across)
    steep = np.abs(down) + np.abs(across)
    weak = ridges & (steep > low)
    labels, _ = ndimage.label(weak, structure=np.ones((3, 3)))
    strong = np.unique(labels[weak & (steep > high)])
    is_edge: NDArray[np.bool_] = weak & np.isin(labels, strong)
    return is_edge


def _ridges(down: NDArray[np.int64], across: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return where the gradient is the largest in its own direction, rounded to eighths of a turn."""
    steep = np.pad(np.abs(down) + np.abs(across), 1)
    middle = steep[1:-1, 1:-1]
    flat, upright = (np.abs(a) <= _SLOPE * np.abs(b) for a, b in ((down, across), (across, down)))
    is_ridge = np.zeros(middle.shape, dtype=bool)
    falling = (down < 0) == (across < 0)
    for in_sector, (dy, dx) in (
        (flat, (0, 1)),
        (upright & ~flat, (1, 0)),
        (~flat & ~upright & falling, (1, 1)),
        (~flat & ~upright & ~falling, (1, -1)),
    ):
        height, width = middle.shape
        before = steep[1 - dy : 1 - dy + height, 1 - dx : 1 - dx + width]
        after = steep[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        # Of two equal neighbours one is the ridge: the first on an axis; neither on a diagonal.
        tied = middle >= after if dy * dx == 0 else middle > after
        is_ridge |= in_sector & (middle > before) & tied
    return is_ridge


def equalised(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture in 0..255 whose values are spread so that each range of them is equally frequent."""
    counts = np.bincount(grey.ravel(), minlength=256)
    first = int(grey.min())
    others = grey.size - counts[first]
    if not others:
        return grey.copy()
    above = np.cumsum(counts) - counts[first]
    table: NDArray[np.uint8] = np.clip(np.rint(above * (255 / others)), 0, 255).astype(np.uint8)
    stretched: NDArray[np.uint8] = table[grey]
    return stretched

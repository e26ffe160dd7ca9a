"""Glass blur: a Gaussian blur, pixels that take the place of near ones, and the blur again.

The paper speaks of pixels that are swapped. In the code that made the benchmark's images the second half of each swap
writes a pixel onto itself, since it reads what the first half has just overwritten; so one pixel is copied, and that is
what is done here too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from freqmaps.corruptions._filters import gaussian

if TYPE_CHECKING:
    from freqmaps.corruptions._api import Draws, Images

GROUP = "blur"
#: Sigma in pixels; how far a pixel may come from; how often.
SEVERITIES = {
    "cifar": ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
    "tiny_imagenet": ((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
    "imagenet": ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
}


def corrupt(images: Images, draws: Draws, constant: tuple[float, int, int]) -> Images:
    """Return images as if seen through structured glass."""
    sigma, reach, times = constant
    n, _, height, width = images.shape
    blurred = np.moveaxis(gaussian(images, sigma), 0, -1).copy()  # (c, h, w, n): one pixel of all images lies together
    rows, columns = (np.arange(size - reach, reach, -1) for size in (height, width))
    image_index = np.arange(n)
    for _ in range(times):
        # From below to above and from right to left: a pixel may hand on what it has taken.
        moves = draws.integers((len(rows), len(columns), 2), -reach, reach)
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                right, down = moves[:, i, j].T
                blurred[:, row, column] = blurred[:, row + down, column + right, image_index]
    return gaussian(np.ascontiguousarray(np.moveaxis(blurred, -1, 0)), sigma)

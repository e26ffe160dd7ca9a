"""Elastic transform: a random affine map of the plane, then smooth random displacements of every pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from freqmaps.corruptions._filters import gaussian

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from freqmaps.corruptions._api import Draws, Images

GROUP = "digital"
#: As shares of the side: strength of the displacements, sigma of their blur, and how far each of the three points that
#: fix the affine map moves. The benchmark's code multiplies those of ImageNet by 244 where it means 224, as its authors
#: note; so they are given as shares of 224.
SEVERITIES = {
    "cifar": ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
    "tiny_imagenet": ((0, 0, 0.08), (0.05, 0.3, 0.06), (0.1, 0.08, 0.06), (0.1, 0.03, 0.03), (0.16, 0.03, 0.02)),
    "imagenet": (
        (2.178571, 0.7625, 0.108929),
        (2.178571, 0.087143, 0.217857),
        (0.054464, 0.010893, 0.021786),
        (0.07625, 0.010893, 0.021786),
        (0.130714, 0.010893, 0.021786),
    ),
}


def corrupt(images: Images, draws: Draws, constant: tuple[float, float, float]) -> Images:
    """Return distorted images, bilinear, mirrored at their edges."""
    height, width = images.shape[2:]
    strength, sigma, moved = (share * min(height, width) for share in constant)
    points = _points(height, width)
    targets = points + draws.uniform(points.shape, -moved, moved)
    across, down = (
        strength * gaussian(draws.uniform((height, width), -1, 1), sigma, mode="reflect", truncate=3) for _ in range(2)
    )
    rows, columns = np.mgrid[:height, :width]
    out = np.empty_like(images)
    for number, image in enumerate(images):
        back = _affine(targets[number], points)
        place = [rows + down[number], columns + across[number]]
        for channel, plane in enumerate(image):
            turned = ndimage.affine_transform(plane, back[:, :2], back[:, 2], order=1, mode="mirror")
            out[number, channel] = ndimage.map_coordinates(turned, place, order=1, mode="reflect")
    return out


def _points(height: int, width: int) -> NDArray[np.float64]:
    """Return three corners of a square about the middle, (3, 2): row and column of each."""
    row, column, reach = height // 2, width // 2, min(height, width) // 3
    corners = ((row + reach, column + reach), (row - reach, column + reach), (row - reach, column - reach))
    return np.array(corners, dtype=np.float64)


def _affine(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the affine map (2, 3) that takes three points (3, 2) to three others."""
    return np.asarray(np.linalg.solve(np.column_stack([source, np.ones(3)]), target).T, dtype=np.float64)

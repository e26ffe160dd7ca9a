"""Defocus blur: every pixel becomes a disc whose edge is softened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from freqmaps.corruptions._api import Draws, Images

GROUP = "blur"
#: Radius of the disc, and sigma of the blur that softens it, in pixels.
SEVERITIES = {
    "cifar": ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
    "tiny_imagenet": ((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1)),
    "imagenet": ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
}
#: Discs up to this radius lie on a plane of as many pixels to each side and are softened over 3 pixels, others over 5.
_SMALL = 8


def corrupt(images: Images, draws: Draws, constant: tuple[float, float]) -> Images:
    """Return images out of focus, mirrored at their edges (which pixels are not repeated); no random numbers."""
    blurred: Images = ndimage.correlate(images, _disc(*constant)[None, None], mode="mirror")
    return blurred


def _disc(radius: float, soft: float) -> NDArray[np.float64]:
    """Return the weights of a softened disc, without the empty rows and columns around it.

    A disc that reaches the edge of its plane sums to a little more than 1 (1.011 for radius 10), as in the benchmark.
    """
    side, taps = (_SMALL, 3) if radius <= _SMALL else (int(radius), 5)
    place = np.arange(-side, side + 1)
    disc: NDArray[np.float64] = (place[:, None] ** 2 + place**2 <= radius**2).astype(np.float64)
    disc /= disc.sum()
    offsets = np.arange(taps) - taps // 2
    edge = np.exp(-(offsets**2) / (2 * soft**2))
    for axis in (0, 1):
        disc = ndimage.correlate1d(disc, edge / edge.sum(), axis=axis, mode="mirror")
    margin = int(np.flatnonzero(disc.any(axis=0))[0])
    return disc[margin : len(disc) - margin, margin : len(disc) - margin]

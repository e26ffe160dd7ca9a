"""Zoom blur: as if the camera had come nearer during the exposure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from freqmaps.corruptions._filters import zoomed

if TYPE_CHECKING:
    from freqmaps.corruptions._api import Draws, Images

GROUP = "blur"
#: The zoom grows from 1 by the step as long as it stays below the end (but for rounding, as in the benchmark).
SEVERITIES = {
    "cifar": ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
    "tiny_imagenet": ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
    "imagenet": ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
}


def corrupt(images: Images, draws: Draws, constant: tuple[float, float]) -> Images:
    """Return the mean of the image and of its zooms; no random numbers."""
    end, step = constant
    factors = np.arange(1, end, step)
    total = images.copy()
    for factor in factors:
        total += zoomed(images, float(factor))
    return total / (len(factors) + 1)

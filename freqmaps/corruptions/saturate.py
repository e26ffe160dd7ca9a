"""Saturation: that of hue, saturation and value is changed. Images that are not of three channels stay as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from freqmaps.corruptions._api import Draws, Images

GROUP = "extra"
#: The factor of the saturation, and what is added to it.
SEVERITIES = {
    "cifar": ((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)),
    "tiny_imagenet": ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (30, 0.2)),
    "imagenet": ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)),
}


#: How far each channel of pure red lies below its value.
_RED = np.array([0.0, 1.0, 1.0])[:, None, None]


def corrupt(images: Images, draws: Draws, constant: tuple[float, float]) -> Images:
    """Return images of other saturation; no random numbers."""
    if images.shape[1] != 3:
        return images.copy()
    factor, offset = constant
    value = images.max(axis=1, keepdims=True)
    spread = value - images.min(axis=1, keepdims=True)
    saturation = spread / np.where(value > 0, value, 1)
    changed = np.clip(saturation * factor + offset, 0, 1)
    # A channel lies below the value by its share of the saturation. Grey has no hue; as in the benchmark it is red.
    below = np.where(spread > 0, (value - images) / np.where(spread > 0, spread, 1), _RED)
    saturated: Images = value * (1 - changed * below)
    return saturated

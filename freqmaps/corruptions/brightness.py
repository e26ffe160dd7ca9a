"""Brightness: the value of hue, saturation and value is raised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from freqmaps.corruptions._api import Draws, Images

GROUP = "weather"
#: What is added to the value.
SEVERITIES = {
    "cifar": (0.05, 0.1, 0.15, 0.2, 0.3),
    "tiny_imagenet": (0.1, 0.2, 0.3, 0.4, 0.5),
    "imagenet": (0.1, 0.2, 0.3, 0.4, 0.5),
}


def corrupt(images: Images, draws: Draws, constant: float) -> Images:
    """Return brighter images: each pixel keeps hue and saturation; no random numbers."""
    value = images.max(axis=1, keepdims=True)
    raised = np.minimum(value + constant, 1)
    # At one hue and saturation all channels are proportional to the value; black has neither and becomes grey.
    brighter: Images = np.where(value > 0, images * raised / np.where(value > 0, value, 1), raised)
    return brighter

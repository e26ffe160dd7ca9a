"""Lower contrast: values move towards the mean of their channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freqmaps.corruptions._api import Draws, Images

GROUP = "digital"
#: The share of the distance from the mean that is left.
SEVERITIES = {
    "cifar": (0.75, 0.5, 0.4, 0.3, 0.15),
    "tiny_imagenet": (0.4, 0.3, 0.2, 0.1, 0.05),
    "imagenet": (0.4, 0.3, 0.2, 0.1, 0.05),
}


def corrupt(images: Images, draws: Draws, constant: float) -> Images:
    """Return paler images; no random numbers."""
    mean = images.mean(axis=(2, 3), keepdims=True)
    paler: Images = (images - mean) * constant + mean
    return paler

"""Fog: random clouds in front of the image, which is then darkened so that it keeps its largest value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freqmaps.corruptions._filters import clouds

if TYPE_CHECKING:
    from freqmaps.corruptions._api import Draws, Images

GROUP = "weather"
#: Strength of the clouds, and by how much their details are weaker (see ``clouds``).
SEVERITIES = {
    "cifar": ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
    "tiny_imagenet": ((0.4, 3), (0.7, 3), (1, 2.5), (1.5, 2), (2, 1.75)),
    "imagenet": ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
}


def corrupt(images: Images, draws: Draws, constant: tuple[float, float]) -> Images:
    """Return foggy images."""
    strength, decay = constant
    largest = images.max(axis=(1, 2, 3), keepdims=True)
    height, width = images.shape[2:]
    foggy: Images = (images + strength * clouds(draws, height, width, decay)) * largest / (largest + strength)
    return foggy

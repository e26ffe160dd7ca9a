"""Gaussian blur."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freqmaps.corruptions._filters import gaussian

if TYPE_CHECKING:
    from freqmaps.corruptions._api import Draws, Images

GROUP = "extra"
#: Sigma in pixels.
SEVERITIES = {
    "cifar": (0.4, 0.6, 0.7, 0.8, 1),
    "tiny_imagenet": (0.5, 0.75, 1, 1.25, 1.5),
    "imagenet": (1, 2, 3, 4, 6),
}


def corrupt(images: Images, draws: Draws, constant: float) -> Images:
    """Return blurred images; no random numbers."""
    return gaussian(images, constant)

"""Speckle noise: normal noise in proportion to every value."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freqmaps.corruptions._api import Draws, Images

GROUP = "extra"
#: Standard deviation, as a share of the value.
SEVERITIES = {
    "cifar": (0.06, 0.1, 0.12, 0.16, 0.2),
    "tiny_imagenet": (0.15, 0.2, 0.25, 0.3, 0.35),
    "imagenet": (0.15, 0.2, 0.35, 0.45, 0.6),
}


def corrupt(images: Images, draws: Draws, constant: float) -> Images:
    """Return noisy images."""
    return images + images * draws.normal(images.shape[1:], sd=constant)

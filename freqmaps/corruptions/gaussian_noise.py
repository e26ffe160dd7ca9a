"""Gaussian noise: a normal number is added to every value."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freqmaps.corruptions._api import Draws, Images

GROUP = "noise"
#: Standard deviation.
SEVERITIES = {
    "cifar": (0.04, 0.06, 0.08, 0.09, 0.10),
    "tiny_imagenet": (0.04, 0.08, 0.12, 0.15, 0.18),
    "imagenet": (0.08, 0.12, 0.18, 0.26, 0.38),
}


def corrupt(images: Images, draws: Draws, constant: float) -> Images:
    """Return noisy images."""
    return images + draws.normal(images.shape[1:], sd=constant)

"""Shot noise: every value becomes a count of photons, of the Poisson distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freqmaps.corruptions._api import Draws, Images

GROUP = "noise"
#: Photons that make a value of 1, in the mean.
SEVERITIES = {
    "cifar": (500, 250, 100, 75, 50),
    "tiny_imagenet": (250, 100, 50, 30, 15),
    "imagenet": (60, 25, 12, 5, 3),
}


def corrupt(images: Images, draws: Draws, constant: float) -> Images:
    """Return noisy images."""
    return draws.poisson(images * constant) / constant

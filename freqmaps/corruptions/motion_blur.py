"""Motion blur: as if the camera had moved, within 45 degrees of the horizontal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freqmaps.corruptions._filters import motion_blurred

if TYPE_CHECKING:
    from freqmaps.corruptions._api import Draws, Images

GROUP = "blur"
#: Radius and sigma of the kernel in pixels.
SEVERITIES = {
    "cifar": ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
    "tiny_imagenet": ((10, 1), (10, 1.5), (10, 2), (10, 2.5), (12, 3)),
    "imagenet": ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
}


def corrupt(images: Images, draws: Draws, constant: tuple[float, float]) -> Images:
    """Return blurred images, each in a direction of its own."""
    radius, sigma = constant
    return motion_blurred(images, radius, sigma, draws.uniform((), -45, 45))

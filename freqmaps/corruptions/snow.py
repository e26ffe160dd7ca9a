"""Snow: flakes that fall in streaks, over an image that is whitened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from freqmaps.corruptions._filters import luma, motion_blurred, zoomed

if TYPE_CHECKING:
    from freqmaps.corruptions._api import Draws, Images

GROUP = "weather"
#: Flakes: mean and standard deviation, zoom, the value below which there is none, radius and sigma of their streaks;
#: then the share of the image's own colours.
SEVERITIES = {
    "cifar": (
        (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    ),
    "tiny_imagenet": (
        (0.1, 0.2, 1, 0.6, 8, 3, 0.8),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.8),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.7),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.65),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.6),
    ),
    "imagenet": (
        (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
        (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
        (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    ),
}


def corrupt(images: Images, draws: Draws, constant: tuple[float, float, float, float, float, float, float]) -> Images:
    """Return images in falling snow."""
    mean, sd, zoom, threshold, radius, sigma, image_weight = constant
    flakes = zoomed(draws.normal((1, *images.shape[2:]), mean, sd), zoom)
    flakes = np.clip(np.where(flakes < threshold, 0, flakes), 0, 1)
    streaks = motion_blurred(flakes, radius, sigma, draws.uniform((), -135, -45))
    whitened = np.maximum(images, 1.5 * luma(images) + 0.5)
    return image_weight * images + (1 - image_weight) * whitened + streaks + streaks[:, :, ::-1, ::-1]

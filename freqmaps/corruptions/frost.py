"""Frost: crystals of ice on the window. Drawn, where the benchmark lays parts of six photographs over images.

A photograph would have to be shipped, and parts of one are the same whatever the seed. The ice is drawn instead: bright
ridges where random clouds cross their middle value, thicker in some places, in a bluish white. Strengths are the
benchmark's, the texture is not; whoever needs the benchmark's frost reads its files (docs/add-a-corruption.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from freqmaps.corruptions._filters import clouds, colour

if TYPE_CHECKING:
    from freqmaps.corruptions._api import Draws, Images

GROUP = "weather"
#: What is left of the image, and how much ice is added.
SEVERITIES = {
    "cifar": ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
    "tiny_imagenet": ((1, 0.3), (0.9, 0.4), (0.8, 0.45), (0.75, 0.5), (0.7, 0.55)),
    "imagenet": ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
}
#: How quickly details of the crystals, and of where they lie, get weaker (see ``clouds``).
_CRYSTALS, _COVER = 1.5, 2.5
_ICE = (0.86, 0.94, 1.0)


def corrupt(images: Images, draws: Draws, constant: tuple[float, float]) -> Images:
    """Return frosted images."""
    left, added = constant
    height, width = images.shape[2:]
    return left * images + added * ice(draws, height, width) * colour(*_ICE, images.shape[1])


def ice(draws: Draws, height: int, width: int) -> Images:
    """Return the texture of ice, (n, 1, height, width) in [0, 1]."""
    ridges = 1 - np.abs(2 * clouds(draws, height, width, _CRYSTALS) - 1)
    return ridges * (0.5 + 0.5 * clouds(draws, height, width, _COVER))

"""Impulse noise (salt and pepper): some values become 0 or 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from freqmaps.corruptions._api import Draws, Images

GROUP = "noise"
#: The share of values that are replaced, half of them by 0, half by 1, each channel by itself.
SEVERITIES = {
    "cifar": (0.01, 0.02, 0.03, 0.05, 0.07),
    "tiny_imagenet": (0.01, 0.02, 0.05, 0.08, 0.14),
    "imagenet": (0.03, 0.06, 0.09, 0.17, 0.27),
}


def corrupt(images: Images, draws: Draws, constant: float) -> Images:
    """Return noisy images."""
    hit = draws.uniform(images.shape[1:]) < constant
    salt = draws.uniform(images.shape[1:]) < 0.5
    return np.where(hit, salt.astype(np.float64), images)

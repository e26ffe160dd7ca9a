"""Pixelation: the image at fewer pixels, scaled up again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from freqmaps.corruptions._api import Draws, Images

GROUP = "digital"
#: The share of the side in pixels that is left.
SEVERITIES = {
    "cifar": (0.95, 0.9, 0.85, 0.75, 0.65),
    "tiny_imagenet": (0.9, 0.8, 0.7, 0.6, 0.5),
    "imagenet": (0.6, 0.5, 0.4, 0.3, 0.25),
}


def corrupt(images: Images, draws: Draws, constant: float) -> Images:
    """Return pixelated images; no random numbers."""
    height, width = images.shape[2:]
    small = (max(1, int(width * constant)), max(1, int(height * constant)))
    planes = images.reshape(-1, height, width).astype(np.float32)
    out = [np.asarray(_box(_box(Image.fromarray(plane), small), (width, height))) for plane in planes]
    return np.array(out, dtype=np.float64).reshape(images.shape)


def _box(plane: Image.Image, size: tuple[int, int]) -> Image.Image:
    return plane.resize(size, Image.Resampling.BOX)

"""JPEG compression. Images of three channels are compressed as colours, others channel by channel."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from freqmaps.corruptions._api import Draws, Images

GROUP = "digital"
#: Quality, from 1 to 95.
SEVERITIES = {
    "cifar": (80, 65, 58, 50, 40),
    "tiny_imagenet": (65, 58, 50, 40, 25),
    "imagenet": (25, 18, 15, 10, 7),
}


def corrupt(images: Images, draws: Draws, constant: int) -> Images:
    """Return compressed images, rounded to bytes; no random numbers."""
    values = np.rint(images * 255).astype(np.uint8)
    if images.shape[1] == 3:
        out = np.array([_compressed(image, constant) for image in values.transpose(0, 2, 3, 1)])
        return out.reshape(len(images), *images.shape[2:], 3).transpose(0, 3, 1, 2) / 255
    planes = [_compressed(plane, constant) for plane in values.reshape(-1, *images.shape[2:])]
    return np.array(planes, dtype=np.float64).reshape(images.shape) / 255


def _compressed(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Return pixels (h, w) or (h, w, 3) after they were written and read again."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    with Image.open(file) as image:
        return np.asarray(image)

"""Spatter: drops of water on the lens, or at high severities splashes of mud."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from freqmaps.corruptions._edges import edges, equalised
from freqmaps.corruptions._filters import colour, gaussian

if TYPE_CHECKING:
    from freqmaps.corruptions._api import Draws, Images

GROUP = "extra"
#: Liquid: mean and standard deviation, sigma of its blur, the value below which there is none; strength of the water,
#: or sigma of the mud's edge; 1 for mud.
SEVERITIES = {
    "cifar": (
        (0.62, 0.1, 0.7, 0.7, 0.5, 0),
        (0.65, 0.1, 0.8, 0.7, 0.5, 0),
        (0.65, 0.3, 1, 0.69, 0.5, 0),
        (0.65, 0.1, 0.7, 0.69, 0.6, 1),
        (0.65, 0.1, 0.5, 0.68, 0.6, 1),
    ),
    "tiny_imagenet": (
        (0.62, 0.1, 0.7, 0.7, 0.6, 0),
        (0.65, 0.1, 0.8, 0.7, 0.6, 0),
        (0.65, 0.3, 1, 0.69, 0.6, 0),
        (0.65, 0.1, 0.7, 0.68, 0.6, 1),
        (0.65, 0.1, 0.5, 0.67, 0.6, 1),
    ),
    "imagenet": (
        (0.65, 0.3, 4, 0.69, 0.6, 0),
        (0.65, 0.3, 3, 0.68, 0.6, 0),
        (0.65, 0.3, 2, 0.68, 0.5, 0),
        (0.65, 0.3, 1, 0.65, 1.5, 1),
        (0.67, 0.4, 1, 0.65, 1.5, 1),
    ),
}
_WATER, _MUD = (175 / 255, 238 / 255, 238 / 255), (63 / 255, 42 / 255, 20 / 255)
#: Mud covers where its blurred edge is above this.
_COVERS = 0.8
#: Distances from the edge of a drop count up to this many pixels.
_FAR = 20
#: Lights drops from above left.
_LIGHT = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]])


def corrupt(images: Images, draws: Draws, constant: tuple[float, float, float, float, float, int]) -> Images:
    """Return images with drops or splashes."""
    mean, sd, sigma, threshold, strength, mud = constant
    liquid = gaussian(draws.normal((1, *images.shape[2:]), mean, sd), sigma)
    liquid[liquid < threshold] = 0
    if mud:
        cover = gaussian((liquid > threshold).astype(np.float64), strength)
        cover[cover < _COVERS] = 0
        return images * (1 - cover) + cover * colour(*_MUD, images.shape[1])
    drops = np.array([_drops(plane[0]) for plane in liquid]).reshape(liquid.shape)
    return images + strength * drops * colour(*_WATER, images.shape[1])


def _drops(liquid: Images) -> Images:
    """Return how bright drops are, (h, w) in [0, 1], from how much liquid there is; in bytes between the steps."""
    grey = np.clip(liquid * 255, 0, 255).astype(np.uint8)
    border = edges(grey, 50, 150)
    distance = ndimage.distance_transform_edt(~border) if border.any() else np.full(grey.shape, float(_FAR))
    soft = _averaged(np.minimum(distance, _FAR)).astype(np.uint8)
    lit = ndimage.correlate(equalised(soft).astype(np.int64), _LIGHT, mode="mirror")
    drops = grey * _averaged(np.clip(lit, 0, 255).astype(np.float64))
    return drops / max(float(drops.max()), 1e-12)


def _averaged(plane: Images) -> Images:
    """Return the mean of 3x3 pixels about each; the sum of whole numbers is exact, unlike SciPy's running mean."""
    mean: Images = ndimage.correlate(plane, np.ones((3, 3)), mode="mirror") / 9
    return mean

"""Filters that several corruptions use: blurs, zoom, luma of colours, clouds."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from freqmaps.corruptions._api import Draws

    Images = NDArray[np.float64]

#: Luma of red, green and blue (ITU-R BT.601).
_LUMA = (0.299, 0.587, 0.114)


def gaussian(images: Images, sigma: float, *, mode: str = "nearest", truncate: float = 4.0) -> Images:
    """Return images (n, c, h, w) after a Gaussian blur over y and x, whose kernel ends at ``truncate`` sigma."""
    blurred: Images = ndimage.gaussian_filter(images, sigma, mode=mode, truncate=truncate, axes=(-2, -1))
    return blurred


def motion_blurred(images: Images, radius: float, sigma: float, degrees: Images) -> Images:
    """Return images after a blur in one direction, as if they had moved during the exposure.

    Each pixel becomes the mean of ``2 ceil(radius) + 1`` pixels on the way, itself the first, with the weights of one
    half of a Gaussian; positions are rounded to whole pixels, and edges repeated. It is ImageMagick's motion blur.

    Parameters
    ----------
    images
        (n, c, h, w).
    radius, sigma
        Of the kernel, in pixels.
    degrees
        (n,) each image's direction, from the x axis towards the y axis, which points down.
    """
    n, _, height, width = images.shape
    steps = np.arange(2 * ceil(radius) + 1)
    weights = np.exp(-(steps**2) / (2 * sigma**2))
    angle = np.deg2rad(degrees)
    out = np.zeros_like(images)
    for step, weight in zip(steps, weights / weights.sum(), strict=True):
        down, right = (np.ceil(step * part - 0.5).astype(int) for part in (np.sin(angle), np.cos(angle)))
        y = np.clip(np.arange(height) + down[:, None], 0, height - 1)
        x = np.clip(np.arange(width) + right[:, None], 0, width - 1)
        moved = images[np.arange(n)[:, None, None], :, y[:, :, None], x[:, None, :]]
        out += weight * np.moveaxis(moved, -1, 1)
    return out


def zoomed(images: Images, factor: float) -> Images:
    """Return the middle of images (n, c, h, w), ``factor`` times as large, bilinear, of the same shape."""
    down, across = (_zoom_matrix(size, factor) for size in images.shape[2:])
    enlarged: Images = down @ images @ across.T
    return enlarged


def _zoom_matrix(size: int, factor: float) -> Images:
    """Return the weights (size, size) of the pixels of an axis in those of its enlarged middle.

    The middle is cut out in whole pixels, enlarged to whole pixels, its first and last ones staying where they are, and
    cut to size again.
    """
    middle = ceil(size / factor)
    large = round(middle * factor)
    place = np.arange(size) + (large - size) // 2
    position = place * ((middle - 1) / max(1, large - 1)) + (size - middle) // 2
    weights: Images = np.maximum(0, 1 - np.abs(position[:, None] - np.arange(size)))
    return weights


def luma(images: Images) -> Images:
    """Return the brightness of images (n, c, h, w), shape (n, 1, h, w): luma of colours, else the mean of channels."""
    if images.shape[1] != 3:
        mean: Images = images.mean(axis=1, keepdims=True)
        return mean
    red, green, blue = _LUMA
    return red * images[:, :1] + green * images[:, 1:2] + blue * images[:, 2:]


def colour(red: float, green: float, blue: float, channels: int) -> Images:
    """Return a colour in [0, 1] as (channels, 1, 1): itself, or its luma in each channel where there are not three."""
    if channels == 3:
        return np.array([red, green, blue])[:, None, None]
    return np.full((channels, 1, 1), float(np.dot(_LUMA, (red, green, blue))))


def clouds(draws: Draws, height: int, width: int, decay: float) -> Images:
    """Return random clouds by the diamond-square algorithm on a torus (Fournier, Fussell & Carpenter, CACM 1982).

    Parameters
    ----------
    draws
        Random numbers of n images.
    height, width
        Cut out of a square whose side is the next power of two.
    decay
        From one level of detail to the next the random part shrinks by ``decay**2``.

    Returns
    -------
    ndarray of float64, shape (n, 1, height, width)
        The square reaches from 0 to 1.
    """
    side = max(2, 1 << (max(height, width) - 1).bit_length())
    plane = np.zeros((len(draws), side, side))
    step, amplitude = side, 1.0
    while step > 1:
        half, shape = step // 2, (side // step, side // step)
        corners = plane[:, ::step, ::step].copy()
        below, right = np.roll(corners, -1, 1), np.roll(corners, -1, 2)
        centres = (corners + below + right + np.roll(below, -1, 2)) / 4 + draws.uniform(shape, -amplitude, amplitude)
        across = (corners + right + centres + np.roll(centres, 1, 1)) / 4 + draws.uniform(shape, -amplitude, amplitude)
        down = (corners + below + centres + np.roll(centres, 1, 2)) / 4 + draws.uniform(shape, -amplitude, amplitude)
        plane[:, half::step, half::step] = centres
        plane[:, ::step, half::step], plane[:, half::step, ::step] = across, down
        step, amplitude = half, amplitude / decay**2
    plane -= plane.min(axis=(1, 2), keepdims=True)
    plane /= plane.max(axis=(1, 2), keepdims=True)
    return plane[:, None, :height, :width]

"""Discrete Fourier transforms of images, with the origin of the frequency plane in the middle.

All functions act on the last two axes only and broadcast over the others. NumPy alone, float64 throughout.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from freqmaps.core.errors import FreqmapsError

_PLANE = (-2, -1)


def frequencies(n: int) -> NDArray[np.int64]:
    """Return the signed frequencies of an axis of ``n`` pixels, ascending.

    Parameters
    ----------
    n
        Number of pixels, at least 1.

    Returns
    -------
    ndarray of int64, shape (n,)
        Cycles per image, from ``-(n // 2)`` to ``(n - 1) // 2``; the origin lies at index ``n // 2``.

    Examples
    --------
    >>> frequencies(4).tolist(), frequencies(5).tolist()
    ([-2, -1, 0, 1], [-2, -1, 0, 1, 2])
    """
    if n < 1:
        raise FreqmapsError(f"an axis of {n} pixels has no frequencies; give at least 1")
    return np.arange(n, dtype=np.int64) - n // 2


def spectrum(x: ArrayLike) -> NDArray[np.float64]:
    """Return the magnitude ``|F x|`` of the unnormalised 2-D transform, origin in the middle.

    Parameters
    ----------
    x
        Real images, shape (..., h, w).

    Returns
    -------
    ndarray of float64, shape (..., h, w)
        Entry ``[..., h // 2, w // 2]`` is the sum over pixels. Parseval: ``(spectrum(x)**2).sum()``
        equals ``h * w * (x**2).sum()``.
    """
    image = _planes(x, "image")
    return np.abs(np.fft.fftshift(np.fft.fft2(image), axes=_PLANE))


def filter_image(x: ArrayLike, m: ArrayLike) -> NDArray[np.float64]:
    """Return ``x_F = Re F^-1(M * F x)`` (Basile et al., eq. 1): an image seen through a frequency map.

    Parameters
    ----------
    x
        Real images, shape (..., h, w), any range.
    m
        Maps with the origin in the middle, broadcastable to ``x`` and equal to it in the last two axes.

    Returns
    -------
    ndarray of float64, shape (..., h, w)
        Not clipped: values may leave the range of ``x``.

    Raises
    ------
    FreqmapsError
        If map and image differ in height or width, or do not broadcast.
    """
    image, mask = _planes(x, "image"), _planes(m, "map")
    if image.shape[-2:] != mask.shape[-2:]:
        raise FreqmapsError(
            f"a map of {mask.shape[-2]}x{mask.shape[-1]} frequencies cannot filter an image of "
            f"{image.shape[-2]}x{image.shape[-1]} pixels; give the full plane of the same size"
        )
    try:
        np.broadcast_shapes(image.shape, mask.shape)
    except ValueError as error:
        raise FreqmapsError(f"map {mask.shape} and image {image.shape} do not broadcast; give the same axes") from error
    return np.fft.ifft2(np.fft.ifftshift(mask, axes=_PLANE) * np.fft.fft2(image)).real


def _planes(values: ArrayLike, what: str) -> NDArray[Any]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim < 2:
        raise FreqmapsError(f"the {what} has {array.ndim} axes; give at least height and width")
    return array

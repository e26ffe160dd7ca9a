"""Discrete Fourier transforms of images, with the origin of the frequency plane in the middle.

All functions act on the last two axes only and broadcast over the others, float64 throughout. Of NumPy arrays they make
NumPy arrays, of torch tensors tensors with gradients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from freqmaps.core.errors import FreqmapsError
from freqmaps.spectra._backend import array_module, doubles, is_tensor, like

if TYPE_CHECKING:
    from torch import Tensor

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


@overload
def spectrum(x: Tensor) -> Tensor: ...


@overload
def spectrum(x: ArrayLike) -> NDArray[np.float64]: ...


def spectrum(x: Any) -> Any:
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
    image, xp = _planes(x, "image"), array_module(x)
    return xp.abs(xp.fft.fftshift(xp.fft.fft2(image), _PLANE))


@overload
def filter_image(x: Tensor, m: Tensor | ArrayLike) -> Tensor: ...


@overload
def filter_image(x: ArrayLike, m: Tensor) -> Tensor: ...


@overload
def filter_image(x: ArrayLike, m: ArrayLike) -> NDArray[np.float64]: ...


def filter_image(x: Any, m: Any) -> Any:
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
    if is_tensor(x) != is_tensor(m):
        image, mask = (image, like(mask, image)) if is_tensor(x) else (like(image, mask), mask)
    xp = array_module(mask)
    if image.shape[-2:] != mask.shape[-2:]:
        raise FreqmapsError(
            f"a map of {mask.shape[-2]}x{mask.shape[-1]} frequencies cannot filter an image of "
            f"{image.shape[-2]}x{image.shape[-1]} pixels; give the full plane of the same size"
        )
    try:
        np.broadcast_shapes(tuple(image.shape), tuple(mask.shape))
    except ValueError as error:
        shapes = f"map {tuple(mask.shape)} and image {tuple(image.shape)}"
        raise FreqmapsError(f"{shapes} do not broadcast; give the same axes") from error
    return xp.fft.ifft2(xp.fft.ifftshift(mask, _PLANE) * xp.fft.fft2(image)).real


def _planes(values: Any, what: str) -> Any:
    array = doubles(values)
    if array.ndim < 2:
        raise FreqmapsError(f"the {what} has {array.ndim} axes; give at least height and width")
    return array

"""Low-pass filters whose pass band is a square or a disc of frequencies (F21, section 4.3).

Frequencies are signed, in cycles per image: on an axis of n pixels ``-(n // 2)`` to ``(n - 1) // 2``. The cut-off is
held against their absolute values, so a filter is point symmetric and the filtered image is real. The Nyquist frequency
of an even axis, ``-n / 2``, is its own mirror image; it is kept if, and only if, the cut-off is at least ``n / 2``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from freqmaps.core.errors import FreqmapsError
from freqmaps.spectra._backend import array_module, doubles, is_tensor, like
from freqmaps.spectra.transforms import frequencies

if TYPE_CHECKING:
    from torch import Tensor

Shape = Literal["square", "radial"]


def low_pass_mask(height: int, width: int, cutoff: float, shape: Shape = "square") -> NDArray[np.bool_]:
    """Return which frequencies a low-pass filter keeps.

    Parameters
    ----------
    height, width
        Of the image, in pixels.
    cutoff
        At least 0, in cycles per image. 0 keeps the mean alone.
    shape
        ``square``: ``|ky| <= cutoff`` and ``|kx| <= cutoff``, the set S_l of F21, section 2. ``radial``:
        ``ky² + kx² <= cutoff²``.

    Returns
    -------
    ndarray of bool, shape (height, width)
        The full plane, origin at ``[height // 2, width // 2]``, point symmetric.

    Raises
    ------
    FreqmapsError
        A cut-off below 0 or NaN, or an axis without pixels.
    """
    if not cutoff >= 0:
        raise FreqmapsError(f"low pass: the cut-off is {cutoff}; give a number of cycles per image, at least 0")
    ky, kx = np.abs(frequencies(height))[:, None], np.abs(frequencies(width))[None, :]
    passed = np.maximum(ky, kx) <= cutoff if shape == "square" else ky**2 + kx**2 <= cutoff**2
    return np.asarray(passed, dtype=np.bool_)


def keeps_all(height: int, width: int, shape: Shape = "square") -> int:
    """Return the smallest whole cut-off that keeps every frequency: half the longer side, rounded down, of a square."""
    half = height // 2, width // 2
    return max(half) if shape == "square" else int(np.ceil(np.hypot(*half)))


@overload
def low_pass(images: Tensor, cutoff: float, shape: Shape = "square") -> Tensor: ...


@overload
def low_pass(images: ArrayLike, cutoff: float, shape: Shape = "square") -> NDArray[np.float64]: ...


def low_pass(images: Any, cutoff: float, shape: Shape = "square") -> Any:
    """Return the images with all frequencies above the cut-off set to 0 (F21, section 4.3).

    Parameters
    ----------
    images
        Real, shape (..., h, w), any range.
    cutoff, shape
        See :func:`low_pass_mask`.

    Returns
    -------
    ndarray of float64 or Tensor, shape of ``images``
        Not clipped: values may leave the range of ``images``. Where the filter keeps every frequency, the images
        exactly as they are. A tensor keeps its device and its float dtype (networks filter what they see in float32),
        and has a gradient: the filter is linear and its own adjoint, so a gradient is filtered on its way back.

    Raises
    ------
    FreqmapsError
        A cut-off below 0 or NaN, or images without height and width.
    """
    values = images if is_tensor(images) and images.is_floating_point() else doubles(images)
    if values.ndim < 2:
        raise FreqmapsError(f"low pass: the image has {values.ndim} axes; give at least height and width")
    mask = low_pass_mask(values.shape[-2], values.shape[-1], cutoff, shape)
    if mask.all():
        return values
    fft, passed = array_module(values).fft, like(np.fft.ifftshift(mask), values)
    return fft.ifft2(fft.fft2(values) * passed).real

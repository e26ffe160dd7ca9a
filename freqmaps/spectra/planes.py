"""Half and full frequency planes of real images.

The transform of a real image is Hermitian, so its frequency map is point symmetric and half of it says all. A *half
plane* has the layout of ``rfft2``: shape (..., h, w // 2 + 1), origin in the corner. A *full plane* has shape
(..., h, w) and signed frequencies in ascending order on both axes, origin at ``[h // 2, w // 2]``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from freqmaps.core.errors import FreqmapsError


def to_full(half: NDArray[Any], width: int) -> NDArray[Any]:
    """Return the full plane of a point-symmetric half plane (of a Hermitian one, if it is complex).

    Parameters
    ----------
    half
        Shape (..., h, width // 2 + 1), any real or complex dtype.
    width
        Number of pixels per row of the image, which the half plane does not tell.

    Returns
    -------
    ndarray, shape (..., h, width), dtype of ``half``
        The value at frequency (ky, kx) lies at ``[..., ky + h // 2, kx + width // 2]``; no other axis is moved.

    Raises
    ------
    FreqmapsError
        ``half`` is not the half plane of images of this width.
    """
    if half.ndim < 2 or half.shape[-1] != width // 2 + 1:
        raise FreqmapsError(f"a half plane of shape {half.shape} does not belong to images of width {width}")
    # The entry at (ky, -kx) is (the conjugate of) that at (-ky, kx): rows in reverse order, but for row 0, and columns
    # reversed.
    missing = np.arange((width - 1) // 2, 0, -1)
    rows = -np.arange(half.shape[-2]) % half.shape[-2]
    mirrored = half[..., rows, :][..., missing].conj()
    return np.fft.fftshift(np.concatenate([half, mirrored], axis=-1), axes=(-2, -1))


def to_half(full: NDArray[Any]) -> NDArray[Any]:
    """Return the half plane of a full plane: the inverse of :func:`to_full`.

    Parameters
    ----------
    full
        Shape (..., h, w), point symmetric or Hermitian (not checked: the entries of negative ``kx`` are dropped).
    """
    return np.fft.ifftshift(full, axes=(-2, -1))[..., : full.shape[-1] // 2 + 1]


def multiplicity(height: int, width: int) -> NDArray[np.float32]:
    """Return how often each entry of a half plane stands in the full plane.

    Returns
    -------
    ndarray of float32, shape (height, width // 2 + 1)
        1 in the columns that are their own mirror image (kx = 0, and kx = width / 2 if the width is even; their
        entries at ky and -ky both lie in the half plane), 2 in all others. The sum is ``height * width``.
    """
    weight = np.full((height, width // 2 + 1), 2.0, dtype=np.float32)
    weight[:, own_mirror(width)] = 1.0
    return weight


def own_mirror(width: int) -> list[int]:
    """Return the half-plane columns that are their own mirror image: 0, and width / 2 if the width is even."""
    return [0, width // 2] if width % 2 == 0 else [0]

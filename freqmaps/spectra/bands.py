"""Energy of frequency planes in rings and in sectors (Karantzas et al., section 3.1 and figures 4 and 7).

A *plane* is an array (..., h, w) of non-negative numbers, one per frequency, with the origin at ``[h // 2, w // 2]``
and signed frequencies ascending on both axes, as :mod:`freqmaps.spectra` and the map stores have it. The energy of a
map M is the plane M², that of an image x the plane |F x|² (``spectrum(x) ** 2``).

* *Rings* divide the radius ``r = sqrt(ky² + kx²)``, in cycles per image, from 0 to that of the corner
  ``[-(h // 2), -(w // 2)]``, into bands of equal width. Ring b is ``b R / B <= r < (b + 1) R / B``; the last one also
  holds the corner itself. Every frequency lies in exactly one.
* *Sectors* divide the direction ``atan2(ky, kx)`` modulo π: the planes of real images are point symmetric, so opposite
  directions say the same. Sector b is centred at ``b π / B``: sector 0 lies around the ``kx`` axis (gray values that
  change from left to right), sector B / 2 around the ``ky`` axis. Every frequency but the origin lies in exactly one.

ASSUME: the origin has no direction, so no sector holds it; it would decide the profile of every photograph.
ASSUME: sectors are centred on the axes, not bounded by them: all that lies on an axis would else be counted with the
neighbour on one side, and a plane and its mirror image would differ. If 4 divides B no frequency lies on a bound.

The figures of the paper's authors show the square roots of these shares, and sectors over the whole turn, of which
the second half repeats the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from freqmaps.core.errors import FreqmapsError
from freqmaps.spectra._backend import array_module, doubles, is_tensor, like
from freqmaps.spectra.transforms import frequencies

if TYPE_CHECKING:
    from torch import Tensor

#: Bands in the paper.
BANDS = 32

#: Planes summed at a time: bounds the memory of their copy in float64.
_BLOCK = 256


def rings(height: int, width: int, bands: int = BANDS) -> NDArray[np.int64]:
    """Return the ring of each frequency.

    Parameters
    ----------
    height, width
        Of the plane.
    bands
        How many rings, at least 1. If the image has only a few pixels some rings are empty.

    Returns
    -------
    ndarray of int64, shape (height, width)
        From 0 (around the origin) to ``bands - 1`` (the corners).
    """
    ky, kx = _grid(height, width, bands)
    corner = (height // 2) ** 2 + (width // 2) ** 2
    # In whole numbers, so that a radius on a bound is exact: floor(B r / R) = floor(sqrt(floor(B² r² / R²))).
    index: NDArray[np.int64] = np.sqrt(bands**2 * (ky**2 + kx**2) // max(corner, 1)).astype(np.int64)
    index[index == bands] = bands - 1
    return index


def ring_edges(height: int, width: int, bands: int = BANDS) -> NDArray[np.float64]:
    """Return the bounds of the rings, shape (bands + 1,), ascending, in cycles per image."""
    _grid(height, width, bands)
    return np.linspace(0, np.hypot(height // 2, width // 2), bands + 1)


def sectors(height: int, width: int, bands: int = BANDS) -> NDArray[np.int64]:
    """Return the sector of each frequency.

    Parameters
    ----------
    height, width
        Of the plane.
    bands
        How many sectors, at least 1.

    Returns
    -------
    ndarray of int64, shape (height, width)
        From 0 to ``bands - 1``; -1 at the origin. A frequency and its opposite have the same.
    """
    ky, kx = _grid(height, width, bands)
    # Folded onto the upper half plane in whole numbers: opposite frequencies get the same angle to the last bit.
    sign = np.where((ky < 0) | ((ky == 0) & (kx < 0)), -1, 1)
    angle = np.arctan2(sign * ky, sign * kx)
    index = np.floor(angle * (bands / np.pi) + 0.5).astype(np.int64) % bands
    index[height // 2, width // 2] = -1
    return index


def sector_angles(bands: int = BANDS) -> NDArray[np.float64]:
    """Return the middle of each sector, shape (bands,), in radians from 0 to below π.

    They count from the ``kx`` axis towards positive ``ky``: clockwise where ``ky`` points down, as in the figures.
    """
    return np.arange(bands, dtype=np.float64) * (np.pi / bands)


@overload
def band_energy(planes: Tensor, index: NDArray[np.int64], bands: int = BANDS) -> Tensor: ...


@overload
def band_energy(planes: ArrayLike, index: NDArray[np.int64], bands: int = BANDS) -> NDArray[np.float64]: ...


def band_energy(planes: Any, index: NDArray[np.int64], bands: int = BANDS) -> Any:
    """Return the sum of each plane over each band: ``E_b = sum of P(ky, kx) over index(ky, kx) = b``.

    Parameters
    ----------
    planes
        (..., h, w), finite and not negative; a tensor keeps its gradient.
    index
        (h, w) from :func:`rings` or :func:`sectors`; frequencies of index -1 are left out.
    bands
        How many bands.

    Returns
    -------
    ndarray or Tensor of float64, shape (..., bands)
        Energies of several channels may be added, then made relative by :func:`shares`.

    Raises
    ------
    FreqmapsError
        Planes of another size than the index; a number that is negative, NaN or infinite.
    """
    values = planes if is_tensor(planes) else np.asarray(planes)
    shape = tuple(values.shape)
    if len(shape) < 2 or shape[-2:] != index.shape:
        raise FreqmapsError(f"planes of shape {shape} do not fit bands of shape {index.shape}; give (..., h, w)")
    member = like((index.reshape(-1, 1) == np.arange(bands)).astype(np.float64), values)
    flat = values.reshape(-1, index.size)
    energies = []
    for start in range(0, max(len(flat), 1), _BLOCK):
        part = doubles(flat[start : start + _BLOCK])
        if not ((part >= 0) & (part < np.inf)).all():
            raise FreqmapsError(
                "a plane holds a negative number, NaN or infinity; give energies, a map's is its square"
            )
        energies.append(part @ member)
    return array_module(values).concatenate(energies).reshape(*shape[:-2], bands)


@overload
def shares(energy: Tensor) -> Tensor: ...


@overload
def shares(energy: ArrayLike) -> NDArray[np.float64]: ...


def shares(energy: Any) -> Any:
    """Return energies as parts of their sum over bands: the last axis adds up to 1, or is NaN where there is none.

    Parameters
    ----------
    energy
        (..., bands), not negative.
    """
    values, xp = doubles(energy), array_module(energy)
    total = values.sum(-1)[..., None]
    # Divided by 1 where there is nothing to divide by, so that no gradient is NaN that is not used.
    return xp.where(total > 0, values / xp.where(total > 0, total, 1.0), float("nan"))


@overload
def radial_energy(planes: Tensor, bands: int = BANDS) -> Tensor: ...


@overload
def radial_energy(planes: ArrayLike, bands: int = BANDS) -> NDArray[np.float64]: ...


def radial_energy(planes: Any, bands: int = BANDS) -> Any:
    """Return the share of each plane's energy in each ring, shape (..., bands); see :func:`band_energy`."""
    return shares(band_energy(planes, rings(*_size(planes), bands), bands))


@overload
def angular_energy(planes: Tensor, bands: int = BANDS) -> Tensor: ...


@overload
def angular_energy(planes: ArrayLike, bands: int = BANDS) -> NDArray[np.float64]: ...


def angular_energy(planes: Any, bands: int = BANDS) -> Any:
    """Return the share of each plane's energy, but for the origin's, in each sector, shape (..., bands)."""
    return shares(band_energy(planes, sectors(*_size(planes), bands), bands))


def _grid(height: int, width: int, bands: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if bands < 1:
        raise FreqmapsError(f"{bands} bands divide nothing; give at least 1")
    ky, kx = np.meshgrid(frequencies(height), frequencies(width), indexing="ij")
    return ky, kx


def _size(planes: Any) -> tuple[int, int]:
    shape = tuple(planes.shape) if is_tensor(planes) else np.shape(planes)
    if len(shape) < 2:
        raise FreqmapsError(f"planes of shape {shape} are none; give (..., h, w)")
    return shape[-2], shape[-1]

"""Spectral measures of perturbations: share of low frequencies, change of the log-spectrum, relative change of the DCT.

F21, section 2: two measures of one perturbation δ of an image x say opposite things, since images have most of their
energy at low frequencies: |F δ| may be largest there, while what it changes relative to |F x| is largest at high ones.
All functions act on the last two axes, float64 throughout, of NumPy arrays and of tensors with gradients alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from freqmaps.core.errors import FreqmapsError
from freqmaps.spectra._backend import array_module, doubles, like
from freqmaps.spectra.low_pass import Shape, low_pass_mask
from freqmaps.spectra.transforms import spectrum

if TYPE_CHECKING:
    from torch import Tensor

#: ASSUME: a magnitude below this counts as this much: images are stored in float32, whose rounding leaves some 1e-7 per
#: pixel where a frequency is absent, and the logarithm of such noise is no measurement.
FLOOR = 1e-6


@overload
def lfc_ratio(x: Tensor, cutoff: float, shape: Shape = "square") -> Tensor: ...


@overload
def lfc_ratio(x: ArrayLike, cutoff: float, shape: Shape = "square") -> NDArray[np.float64]: ...


def lfc_ratio(x: Any, cutoff: float, shape: Shape = "square") -> Any:
    """Return which share of the energy lies at low frequencies: τ(x ∈ S_l) of F21, section 2.1.

    τ is the sum of ``|F x|²`` over ``|ky|, |kx| ≤ k_c``, divided by its sum over all frequencies; the energies of
    channels are added first.

    Parameters
    ----------
    x
        Images or perturbations, shape (..., c, h, w).
    cutoff, shape
        k_c, in cycles per image, and what it bounds: see :func:`freqmaps.spectra.low_pass.low_pass_mask`.

    Returns
    -------
    ndarray or Tensor of float64, shape (...)
        In [0, 1]; NaN where x is 0 throughout.
    """
    values = doubles(x)
    if values.ndim < 3:
        raise FreqmapsError(f"LFC ratio: an array of {values.ndim} axes; give channels, height and width")
    xp = array_module(values)
    low = like(low_pass_mask(values.shape[-2], values.shape[-1], cutoff, shape).astype(np.float64), values)
    energy = spectrum(values) ** 2
    whole = energy.sum((-3, -2, -1))
    # Divided by 1 where there is nothing to divide by, so that no gradient is NaN that is not used.
    part = (energy * low).sum((-3, -2, -1)) / xp.where(whole > 0, whole, xp.ones_like(whole))
    return xp.where(whole > 0, part, xp.full_like(part, float("nan")))


@overload
def log_spectrum_difference(clean: Tensor, adversarial: Tensor) -> Tensor: ...


@overload
def log_spectrum_difference(clean: ArrayLike, adversarial: ArrayLike) -> NDArray[np.float64]: ...


def log_spectrum_difference(clean: Any, adversarial: Any) -> Any:
    """Return ``20 | log10 |F(x + δ)| - log10 |F x| |``, in decibels (F21, eq. 3).

    To first order it is at most 20 / ln 10 times ``|F δ| / |F x|``, :func:`relative_change`. ASSUME: the paper does not
    say which logarithm; the decimal one makes it decibels.

    Parameters
    ----------
    clean, adversarial
        x and x + δ, of the same shape (..., h, w).

    Returns
    -------
    ndarray or Tensor of float64, shape (..., h, w)
        Origin in the middle, not negative. Magnitudes below :data:`FLOOR` count as that.
    """
    xp = array_module(clean)
    before, after = (xp.clip(spectrum(x), FLOOR, None) for x in (clean, adversarial))
    return 20 * xp.abs(xp.log10(after) - xp.log10(before))


def log_difference_parts(
    clean: ArrayLike, adversarial: ArrayLike, cutoff: float, shape: Shape = "square"
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each image's mean of :func:`log_spectrum_difference` at low frequencies, and that at all others, in dB.

    Parameters
    ----------
    clean, adversarial
        x and x + δ, of the same shape (n, c, h, w).
    cutoff, shape
        What counts as low: see :func:`lfc_ratio`.

    Returns
    -------
    low, high
        float64, (n,) each, not negative; means over channels and frequencies. ``high`` is NaN where the cut-off keeps
        every frequency.
    """
    planes = log_spectrum_difference(clean, adversarial).mean(axis=1)
    mask = low_pass_mask(planes.shape[1], planes.shape[2], cutoff, shape)
    high = planes[:, ~mask].mean(axis=1) if not mask.all() else np.full(len(planes), np.nan)
    return planes[:, mask].mean(axis=1), high


@overload
def relative_change(clean: Tensor, adversarial: Tensor) -> Tensor: ...


@overload
def relative_change(clean: ArrayLike, adversarial: ArrayLike) -> NDArray[np.float64]: ...


def relative_change(clean: Any, adversarial: Any) -> Any:
    """Return ``|F δ| / |F x|``, shape (..., h, w), origin in the middle: R_k of F21, section 3.2.

    Parameters
    ----------
    clean, adversarial
        x and x + δ, of the same shape (..., h, w). Where ``|F x|`` is below :data:`FLOOR` it counts as that.
    """
    xp = array_module(clean)
    return spectrum(doubles(adversarial) - doubles(clean)) / xp.clip(spectrum(clean), FLOOR, None)


@overload
def relative_dct_change(clean: Tensor, adversarial: Tensor) -> Tensor: ...


@overload
def relative_dct_change(clean: ArrayLike, adversarial: ArrayLike) -> NDArray[np.float64]: ...


def relative_dct_change(clean: Any, adversarial: Any) -> Any:
    """Return ``|DCT δ| / |DCT x|``: RCT, the relative change in discrete cosine transforms of Wang et al. (2020).

    Parameters
    ----------
    clean, adversarial
        x and x + δ, of the same shape (..., h, w).

    Returns
    -------
    ndarray or Tensor of float64, shape (..., h, w)
        Entry ``[..., 0, 0]`` is the mean's: a cosine transform has no negative frequencies. The transform is
        orthonormal (DCT-II). Where ``|DCT x|`` is below :data:`FLOOR` it counts as that.
    """
    xp = array_module(clean)
    x, change = doubles(clean), doubles(adversarial) - doubles(clean)
    return xp.abs(_dct(change)) / xp.clip(xp.abs(_dct(x)), FLOOR, None)


def _dct(x: Any) -> Any:
    rows, columns = (like(cosines(n), x) for n in x.shape[-2:])
    return rows @ x @ columns.T


def cosines(n: int) -> NDArray[np.float64]:
    """Return the matrix (n, n) of the orthonormal DCT-II of an axis: row k is the cosine of frequency k / 2."""
    k, i = np.arange(n)[:, None], np.arange(n)[None, :]
    rows: NDArray[np.float64] = np.cos(np.pi * k * (2 * i + 1) / (2 * n)) * np.sqrt(2 / n)
    rows[0] /= np.sqrt(2)
    return rows


def middle_cutoff(height: int, width: int) -> int:
    """Return the cut-off that is taken where none is given: half of the highest frequency, 8 at 32×32.

    ASSUME: F21 does not say which k_c its ratios have.

    >>> middle_cutoff(32, 32), middle_cutoff(8, 8)
    (8, 2)
    """
    return max(1, min(height, width) // 4)

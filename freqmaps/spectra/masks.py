"""Complements of masks, and differences from a reference (Karantzas et al., section 3.2 and figure 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from freqmaps.core.errors import FreqmapsError
from freqmaps.spectra._backend import array_module, doubles, finite, is_tensor

if TYPE_CHECKING:
    from torch import Tensor

Center = Literal["mean", "range", "none"]


@overload
def complement_mask(masks: Tensor, threshold: float = 1e-8) -> Tensor: ...


@overload
def complement_mask(masks: ArrayLike, threshold: float = 1e-8) -> NDArray[Any]: ...


def complement_mask(masks: Any, threshold: float = 1e-8) -> Any:
    """Return the complementary masks: ``M^c(ky, kx) = 1 if M(ky, kx) < threshold else 0``.

    Parameters
    ----------
    masks
        Any shape, entries in [0, 1].
    threshold
        Entries below it count as removed; above 0.

    Returns
    -------
    ndarray or Tensor
        Zeros and ones of the masks' shape and float dtype.

    Raises
    ------
    FreqmapsError
        NaN or infinity in a mask, or a threshold that nothing can lie below.
    """
    if not threshold > 0:
        raise FreqmapsError(f"complement: no entry of a mask lies below {threshold:g}; give a threshold above 0")
    values = finite(masks, "complement")
    removed = values < threshold
    return removed.to(values.dtype) if is_tensor(values) else removed.astype(values.dtype)


@overload
def binary_mask(masks: Tensor, threshold: float = 1e-8) -> Tensor: ...


@overload
def binary_mask(masks: ArrayLike, threshold: float = 1e-8) -> NDArray[Any]: ...


def binary_mask(masks: Any, threshold: float = 1e-8) -> Any:
    """Return masks whose entries above ``threshold`` are 1; the others stay as they are.

    The released code of Karantzas et al. does so to the stored masks of the natural network when it makes complements,
    as one minus the result, so that all that it computes of these masks afterwards is of binary ones.

    Parameters
    ----------
    masks
        Any shape, entries in [0, 1].
    threshold
        Entries above it become 1; above 0.

    Raises
    ------
    FreqmapsError
        NaN or infinity in a mask, or a threshold of 0 or less.
    """
    if not threshold > 0:
        raise FreqmapsError(f"binary mask: every entry of a mask lies above {threshold:g}; give a threshold above 0")
    values = finite(masks, "binary mask")
    return array_module(values).where(values > threshold, array_module(values).ones_like(values), values)


@overload
def mask_differences(masks: Tensor, reference: Tensor, center: Center = "mean") -> Tensor: ...


@overload
def mask_differences(masks: ArrayLike, reference: ArrayLike, center: Center = "mean") -> NDArray[np.float64]: ...


def mask_differences(masks: Any, reference: Any, center: Center = "mean") -> Any:
    """Return ``D_s = M_s - M_ref``, moved so that the differences of the whole set lie around 0.

    Parameters
    ----------
    masks
        (s, ..., h, w): the set.
    reference
        (..., h, w): the mask that each is compared with, the natural network's.
    center
        ``mean``: less the mean over all entries of all differences. ``range``: ``(D - min D) / (max D - min D) - 1/2``,
        minimum and maximum over the whole set, as in the paper's released code: from -1/2 to 1/2, without a unit.
        ``none``: as they are; 0 is "no change".

    Returns
    -------
    ndarray or Tensor of float64, shape of ``masks``

    Raises
    ------
    FreqmapsError
        Masks and reference of different shape, none at all, or NaN.
    """
    # ASSUME: "for a given set of masks, we center the mask differences around the origin ... without altering the
    # geometry of the set" is one number taken off all of them. It shows where a difference is above the average
    # change, so a network whose mask is sparser everywhere does not look negative everywhere.
    values, base = finite(masks, "mask differences"), finite(reference, "mask differences")
    if values.ndim != base.ndim + 1 or values.shape[1:] != base.shape or 0 in values.shape:
        raise FreqmapsError(
            f"mask differences: masks of shape {tuple(values.shape)} and a reference of shape {tuple(base.shape)}; "
            "give (s, ..., h, w) and (..., h, w)"
        )
    delta = doubles(values) - doubles(base)
    if center == "mean":
        delta = delta - delta.mean()
    elif center == "range":
        low, width = delta.min(), delta.max() - delta.min()
        # Differences that are all the same have no range: they lie at its middle.
        delta = (delta - low) / width - 0.5 if width > 0 else array_module(delta).zeros_like(delta)
    return delta

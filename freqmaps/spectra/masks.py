"""What masks leave out, and how they differ from a reference (Karantzas et al., section 3.2 and figure 3)."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from freqmaps.core.arrays import finite
from freqmaps.core.errors import FreqmapsError


def complement_mask(masks: ArrayLike, threshold: float = 1e-8) -> NDArray[Any]:
    """Return the complementary masks: ``M^c(ky, kx) = 1 if M(ky, kx) < threshold else 0``.

    Parameters
    ----------
    masks
        Any shape, entries in [0, 1].
    threshold
        Entries below it count as removed; above 0.

    Returns
    -------
    ndarray
        Zeros and ones of the masks' shape and float dtype.

    Raises
    ------
    FreqmapsError
        NaN or infinity in a mask, or a threshold that nothing can lie below.
    """
    if not threshold > 0:
        raise FreqmapsError(f"complement: no entry of a mask lies below {threshold:g}; give a threshold above 0")
    values = finite(masks, "complement")
    return (values < threshold).astype(values.dtype)


def mask_differences(
    masks: ArrayLike, reference: ArrayLike, center: Literal["mean", "range", "none"] = "mean"
) -> NDArray[np.float64]:
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
    ndarray of float64, shape of ``masks``

    Raises
    ------
    FreqmapsError
        Masks and reference of different shape, none at all, or NaN.
    """
    # ASSUME: "for a given set of masks, we center the mask differences around the origin ... without altering the
    # geometry of the set" is one number taken off all of them. It shows where a difference is above the average
    # change, so a network whose mask is sparser everywhere does not look negative everywhere.
    values, base = finite(masks, "mask differences"), finite(reference, "mask differences")
    if values.ndim != base.ndim + 1 or values.shape[1:] != base.shape or not values.size:
        raise FreqmapsError(
            f"mask differences: masks of shape {values.shape} and a reference of shape {base.shape}; "
            "give (s, ..., h, w) and (..., h, w)"
        )
    delta: NDArray[np.float64] = values.astype(np.float64) - base
    if center == "mean":
        delta -= delta.mean()
    elif center == "range":
        low, width = delta.min(), np.ptp(delta)
        # Differences that are all the same have no range: they lie at its middle.
        delta = (delta - low) / width - 0.5 if width > 0 else np.zeros_like(delta)
    return delta

"""What a mask leaves out (Karantzas et al., section 3.2)."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike, NDArray

from freqmaps.analysis._check import finite
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

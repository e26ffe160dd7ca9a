"""Where the energy of masks moves from one set of networks to another (Karantzas et al., figure 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from freqmaps.core.arrays import finite
from freqmaps.core.errors import FreqmapsError
from freqmaps.spectra.bands import radial_energy

if TYPE_CHECKING:
    from torch import Tensor


@overload
def low_share(planes: Tensor) -> Tensor: ...


@overload
def low_share(planes: ArrayLike) -> NDArray[np.float64]: ...


def low_share(planes: Any) -> Any:
    """Return the share of each plane's energy below half the corner's radius, shape (...).

    Parameters
    ----------
    planes
        (..., h, w), not negative, the origin at ``[h // 2, w // 2]``: of a mask, its square.

    Returns
    -------
    ndarray or Tensor of float64
        In [0, 1], whatever the number of bands that a figure shows; NaN for an empty plane.
    """
    return radial_energy(planes, 2)[..., 0]


def profile_ranges(first: ArrayLike, second: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how much profiles differ over their bands: between two sets, and among those of one set.

    The range of a difference is ``max over b of (p_b - q_b) - min over b of (p_b - q_b)``; 0 if p and q differ by the
    same in every band. Of angular profiles it is a measure of anisotropy, and that among networks that differ by their
    seed alone is what it must be held against.

    Parameters
    ----------
    first, second
        (m, bands) and (n, bands): a profile for each network of either set. Bands that hold no frequency add nothing.

    Returns
    -------
    tuple of ndarray of float64
        (m n,) ranges of ``first[i] - second[j]``; (m (m - 1) / 2 + n (n - 1) / 2,) ranges within the sets.

    Raises
    ------
    FreqmapsError
        Arrays of other axes or bands, or NaN.
    """
    a, b = (finite(p, "profile ranges").astype(np.float64) for p in (first, second))
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or not a.shape[1]:
        raise FreqmapsError(
            f"profile ranges: profiles of shapes {a.shape} and {b.shape}; give (m, bands) and (n, bands)"
        )
    between = np.ptp(a[:, None] - b[None], axis=2).ravel()
    within = [np.ptp(p[i] - p[j]) for p in (a, b) for i, j in zip(*np.triu_indices(len(p), 1), strict=True)]
    return between, np.array(within, dtype=np.float64)

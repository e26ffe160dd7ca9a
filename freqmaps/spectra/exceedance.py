"""How often one map's energy exceeds another's, band by band (Karantzas et al., figure 7)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta

from freqmaps.core.errors import FreqmapsError


@dataclass(frozen=True)
class Exceedance:
    """Shares of images, one per band.

    Attributes
    ----------
    share
        (bands,) ``(#{a > b} + tied #{a = b}) / n``, in [0, 1]; with ties of 1/2, 1/2 says that neither has more.
    low, high
        (bands,) bounds of the interval.
    ties
        (bands,) images whose two energies are equal.
    n, n_dropped
        Images compared, and images left out because an energy is NaN (an empty map has no shares).
    """

    share: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    ties: NDArray[np.int64]
    n: int
    n_dropped: int


def band_exceedance(a: ArrayLike, b: ArrayLike, confidence: float = 0.95, *, tied: float = 0.5) -> Exceedance:
    """Return the share of images whose energy in ``a`` exceeds that in ``b``, for each band.

    Parameters
    ----------
    a, b
        (n, bands) energies of the same images' two maps, rows paired: of bands (absolute) or their shares.
    confidence
        Two-sided coverage, in (0, 1).
    tied
        What an image with equal energies counts, in [0, 1]; the released code of the paper has 0.

    Returns
    -------
    Exceedance
        With Clopper and Pearson's interval (Biometrika 26, 1934, 404), the beta quantiles of k successes in n; with
        parts of successes for ties. It covers at least the confidence. All NaN if no image is left.

    Raises
    ------
    FreqmapsError
        Arrays of different shape, or not of two axes.
    """
    # ASSUME: a tie speaks for neither side, so half of it counts for each unless asked otherwise. The paper does not
    # mention ties; sparse maps have many, in bands where both are empty.
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.ndim != 2 or first.shape != second.shape:
        raise FreqmapsError(
            f"exceedance: energies of shapes {first.shape} and {second.shape}; give two arrays (n, bands), rows paired"
        )
    kept = ~(np.isnan(first) | np.isnan(second)).any(axis=1)
    n = int(kept.sum())
    ties = (first[kept] == second[kept]).sum(axis=0)
    wins = (first[kept] > second[kept]).sum(axis=0) + tied * ties
    if n == 0:
        nothing = np.full(first.shape[1], np.nan)
        return Exceedance(nothing, nothing, nothing, ties, 0, len(first))
    low, high = _clopper_pearson(wins, n, confidence)
    return Exceedance(wins / n, low, high, ties, n, len(first) - n)


def _clopper_pearson(
    wins: NDArray[np.float64], n: int, confidence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    tail = (1 - confidence) / 2
    # A shape parameter of 0 has no quantile: the bound is the end of the range.
    low = np.where(wins > 0, beta.ppf(tail, np.maximum(wins, 0.5), n - wins + 1), 0.0)
    high = np.where(wins < n, beta.ppf(1 - tail, wins + 1, np.maximum(n - wins, 0.5)), 1.0)
    return low, high

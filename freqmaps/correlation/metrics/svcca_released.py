"""SVCCA as the library computes it that the authors of B25 used (anatome), from which their published values came.

It reduces a matrix without centring it first, keeps components by the sum of their singular values and not of the
squares, and one component fewer than reach the share.
"""

from __future__ import annotations

from freqmaps.correlation._api import Matrix, Metric
from freqmaps.correlation.metrics import svcca

TINY = {"subsamples": 3, "repeats": 1}
RANGES = {"variance": "(0, 1)", "subsamples": "[0, 10000]", "repeats": "[0, 10000]"}


def compute(
    x: Matrix, y: Matrix, *, seed: int, variance: float = 0.99, subsamples: int = 20, repeats: int = 3
) -> Metric:
    """Compute SVCCA as :func:`freqmaps.correlation.metrics.svcca.compute` does, with the released reduction.

    Parameters
    ----------
    x, y
        (n, d1) and (n, d2) float32, rows paired.
    seed
        Of the half-samples.
    variance
        Share of the sum of singular values below which components are kept, in (0, 1).
    subsamples, repeats
        See ``svcca``.

    Returns
    -------
    Metric
        As ``svcca``.
    """
    return svcca.compute(
        x, y, seed=seed, variance=variance, subsamples=subsamples, repeats=repeats, reduction="released"
    )

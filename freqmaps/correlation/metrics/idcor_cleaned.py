"""IdCor of maps without the entries that their optimisation leaves just above 0.

Adam's steps do not become smaller at the bound of a map's range, so a coefficient that is to be 0 ends somewhere below
the learning rate's size. Entries below 1e-3 hold a few thousandths of a map's sum and change one prediction in a
thousand, but standardised they weigh as much as all others: IdCor as made may then be that of this jitter.
"""

from __future__ import annotations

from freqmaps.correlation._api import Matrix, Metric
from freqmaps.correlation.metrics import idcor

TINY = {"permutations": 9, "subsamples": 3, "repeats": 1}
RANGES = {
    "permutations": "[1, 1e6]", "fraction": "(0, 1)", "subsamples": "[0, 10000]", "repeats": "[0, 10000]",
    "cut": "(0, 1)",
}  # fmt: skip
LIBRARIES = ("numba",)


def compute(
    x: Matrix,
    y: Matrix,
    *,
    seed: int,
    permutations: int = 100,
    fraction: float = 0.9,
    subsamples: int = 20,
    repeats: int = 3,
    cut: float = 1e-3,
) -> Metric:
    """Compute IdCor as :func:`freqmaps.correlation.metrics.idcor.compute` does, after setting small entries to 0.

    Parameters
    ----------
    x, y
        (n, d1) and (n, d2) float32, rows paired.
    seed
        Of the permutations and of the subsets.
    permutations, fraction, subsamples, repeats
        See ``idcor``.
    cut
        Entries of smaller absolute value are 0 before all else.

    Returns
    -------
    Metric
        As ``idcor``.
    """
    return idcor.compute(
        x, y, seed=seed, permutations=permutations, fraction=fraction, subsamples=subsamples, repeats=repeats,
        cut=cut,
    )  # fmt: skip

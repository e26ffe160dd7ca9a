"""IdCor with the constant of the authors' released code.

It divides each feature by its standard deviation plus 1e-6, which the paper does not mention. Where half of all
features vary by less than that, this alone may decide the sign.
"""

from __future__ import annotations

from freqmaps.correlation._api import Matrix, Metric
from freqmaps.correlation.metrics import idcor

TINY = {"permutations": 9, "subsamples": 3, "repeats": 1}
RANGES = {
    "permutations": "[1, 1e6]", "fraction": "(0, 1)", "subsamples": "[0, 10000]", "repeats": "[0, 10000]",
    "constant": "(0, 1)",
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
    constant: float = 1e-6,
) -> Metric:
    """Compute IdCor as :func:`freqmaps.correlation.metrics.idcor.compute` does, with a constant for each feature.

    Parameters
    ----------
    x, y
        (n, d1) and (n, d2) float32, rows paired.
    seed
        Of the permutations and of the subsets.
    permutations, fraction, subsamples, repeats
        See ``idcor``.
    constant
        Added to the unbiased standard deviation (n - 1) of each feature.

    Returns
    -------
    Metric
        As ``idcor``.
    """
    return idcor.compute(
        x, y, seed=seed, permutations=permutations, fraction=fraction, subsamples=subsamples, repeats=repeats,
        constant=constant,
    )  # fmt: skip

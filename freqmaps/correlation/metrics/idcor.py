"""Intrinsic-dimension correlation (Basile et al.), with its permutation test.

If the rows of Y are a function of those of X, [X, Y] has no more dimensions than X; if they are unrelated, it has
those of both. The two ends are 1 and 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from freqmaps.correlation._api import Matrix, Metric, check_pair, undefined
from freqmaps.correlation._dimensions import Dimensions, by_estimator, by_shared_distances
from freqmaps.correlation._fewer import parts, summarised
from freqmaps.correlation._halves import half_samples, spread
from freqmaps.correlation._halves import permutations as draw_permutations
from freqmaps.correlation._rows import standardised

TINY = {"permutations": 9, "subsamples": 3, "repeats": 1}
RANGES = {
    "permutations": "[1, 1e6]",
    "fraction": "(0, 1)",
    "subsamples": "[0, 10000]",
    "repeats": "[0, 10000]",
    "block": "[1, 1e6]",
    "cut": "[0, 1)",
    "constant": "[0, 1)",
}
NEUTRAL = {"cut": 0.0, "constant": 0.0}
ASKED = ("estimator",)
CHECK = "freqmaps.correlation._checks:idcor"
LIBRARIES = ("numba", "scikit-dimension")

_FEWEST = 4


def compute(
    x: Matrix,
    y: Matrix,
    *,
    seed: int,
    permutations: int = 100,
    fraction: float = 0.9,
    estimator: str = "twonn",
    subsamples: int = 20,
    repeats: int = 3,
    block: int = 512,
    cut: float = 0.0,
    constant: float = 0.0,
) -> Metric:
    """Compute ``IdCor = (Id_X + Id_Y - Id_XY) / max(Id_X, Id_Y)``, the mutual information of dimensions, normalised.

    Each feature is standardised (a constant one becomes 0) and each row normalised before all else, so that a relation
    by the rows' lengths alone is not seen; half-samples, halves and quarters keep the standardisation of the whole.

    Parameters
    ----------
    x, y
        (n, d1) and (n, d2) float32, rows paired.
    seed
        Of the permutations and of the subsets.
    permutations
        Of the rows of Y, for the test: ``p = (1 + #{permuted Id_XY < observed Id_XY}) / (1 + permutations)``. A
        permutation without an estimate counts against the observed value.
    fraction
        Of the points that TwoNN fits, in (0, 1).
    estimator
        ``twonn``: ours, from distances that all permutations share. Or a class of scikit-dimension (``MLE``,
        ``TwoNN``, ``lPCA``...), fitted anew for every permutation: slower by an order of magnitude or two.
    subsamples
        Half-samples for the sampling error; 0 for none.
    repeats
        How often the rows are cut into halves and quarters for the value on fewer rows; 0 for never.
    block
        Rows of a tile at most: bounds the memory beside the two (n, n) float32 matrices.
    cut
        Entries of smaller absolute value are 0 before all else. Maps hold many that Adam's last steps leave just above
        0; standardised, they weigh as much as any other.
    constant
        Added to each feature's standard deviation: see :func:`freqmaps.correlation._rows.standardised`.

    Returns
    -------
    Metric
        ``value`` is 1 if each of X and Y determines the other, 0 if they are unrelated (noise can take it outside).
        ``n_dropped``: rows whose nearest neighbours in [X, Y] are at distance 0 or tied. ``extra``: ``id_x, id_y,
        id_xy``, the mean and standard deviation of ``id_xy`` under permutation (``permuted_mean, permuted_sd``);
        ``chance``, the IdCor of that mean, above 0 where few rows make TwoNN underestimate high dimensions; and the
        points left to each estimate (``points_x, points_y, points_xy``). NaN with a reason for fewer than 4 rows,
        or too few that are neither duplicates nor tied.

    Raises
    ------
    FreqmapsError
        NaN or infinity in the input, rows that do not pair, unknown estimator.
    """
    x, y = check_pair(x, y)
    n = len(x)
    if n < _FEWEST:
        return undefined(n, f"idcor needs at least {_FEWEST} rows, found {n}")
    shuffles = draw_permutations(n, permutations, seed)
    subsets = [*half_samples(n, subsamples, seed), *parts(n, repeats, seed)]
    x, y = _without_small(x, cut), _without_small(y, cut)
    rows = standardised(x, constant=constant), standardised(y, constant=constant)
    if estimator == "twonn":
        dimensions = by_shared_distances(*rows, shuffles, subsets, fraction=fraction, block=block)
    else:
        dimensions = by_estimator(*rows, shuffles, subsets, name=estimator, fraction=fraction, seed=seed)
    return _metric(dimensions, n, subsamples, repeats)


def _without_small(x: Matrix, cut: float) -> Matrix:
    return np.where(np.abs(x) < cut, np.zeros_like(x), x) if cut else x


def _metric(dimensions: Dimensions, n: int, subsamples: int, repeats: int) -> Metric:
    observed, points, permuted = dimensions.observed, dimensions.points, dimensions.permuted
    extra = dict(zip(("id_x", "id_y", "id_xy"), map(float, observed), strict=True))
    extra |= dict(zip(("points_x", "points_y", "points_xy"), map(float, points), strict=True))
    dropped = n - int(points[2])
    value = float(_idcor(observed))
    if not np.isfinite(value):
        return undefined(n, "an intrinsic dimension has no estimate (duplicate, tied or too few rows)",
                         n_dropped=dropped, extra=extra)  # fmt: skip
    finite = permuted[np.isfinite(permuted)]
    if len(finite):
        extra |= {"permuted_mean": float(finite.mean()), "permuted_sd": float(finite.std())}
        extra["chance"] = float(_idcor(np.array([*observed[:2], finite.mean()])))
    # Not "permuted < observed": a permutation without an estimate must not make p smaller.
    as_low = int((~(permuted >= observed[2])).sum())
    on_subsets = _idcor(dimensions.subsets)
    return Metric(
        value,
        n - dropped,
        dropped,
        p_value=(1 + as_low) / (1 + len(permuted)),
        extra=extra,
        **spread(value, on_subsets[:subsamples], n),
        **summarised(on_subsets[subsamples:], repeats),
    )


def _idcor(dimensions: NDArray[np.float64]) -> NDArray[np.float64]:
    """From (..., 3) dimensions of X, Y and [X, Y]; NaN where there is none, or none above 0."""
    x, y, xy = np.moveaxis(dimensions, -1, 0)
    largest = np.maximum(x, y)
    value: NDArray[np.float64] = np.divide(x + y - xy, largest, out=np.full(np.shape(xy), np.nan), where=largest > 0)
    return value

"""Intrinsic dimensions of X, of Y and of [X, Y]: observed, with Y's rows permuted, and on some of the rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from freqmaps.core.errors import FreqmapsError, nearest
from freqmaps.correlation._distances import squared_distances
from freqmaps.correlation._neighbours import two_smallest
from freqmaps.correlation._twonn import twonn

if TYPE_CHECKING:
    from freqmaps.correlation._rows import Rows

Indices = NDArray[np.int32]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Dimensions:
    """Estimates for one pair of matrices.

    Attributes
    ----------
    observed
        (3,) float64: of X, Y and [X, Y].
    points
        (3,) int64: how many points each of them rests on.
    permuted
        (permutations,) float64: of [X, Y] with the rows of Y permuted.
    subsets
        (subsets, 3) float64: as ``observed``.
    """

    observed: NDArray[np.float64]
    points: NDArray[np.int64]
    permuted: NDArray[np.float64]
    subsets: NDArray[np.float64]


def by_shared_distances(
    x: Rows, y: Rows, permutations: Indices, subsets: Sequence[Indices], *, fraction: float, block: int
) -> Dimensions:
    """Estimate all dimensions by TwoNN from two matrices of squared distances.

    Memory: two (n, n) float32 matrices, and tiles of ``block`` rows while they are filled.

    Parameters
    ----------
    x, y
        n rows each.
    permutations
        (permutations, n) int32: row i of X goes with row ``permutations[c, i]`` of Y.
    subsets
        Rows of each half-sample or other subset, (m,) int32 each.
    fraction
        See :func:`freqmaps.correlation._twonn.twonn`.
    block
        Rows of a tile at most.
    """
    a = squared_distances(x, block=block, diagonal=np.inf)
    b = squared_distances(y, block=block, diagonal=np.inf)
    samples = _samples(len(x), subsets)

    def estimates(one: Floats, other: Floats | None, cases: Indices) -> list[tuple[float, int]]:
        return [twonn(*pair, fraction) for pair in zip(*two_smallest(one, other, cases), strict=True)]

    both = estimates(a, b, np.concatenate([samples, permutations]))
    found = [estimates(a, None, samples), estimates(b, None, samples), both[: len(samples)]]
    permuted = np.array([dimension for dimension, _ in both[len(samples) :]], dtype=np.float64)
    values = np.array([[dimension for dimension, _ in column] for column in found], dtype=np.float64)
    points = np.array([column[0][1] for column in found], dtype=np.int64)
    return Dimensions(values[:, 0], points, permuted, values[:, 1:].T)


def _samples(n: int, subsets: Sequence[Indices]) -> Indices:
    """All rows, then each subset: (1 + subsets, n) int32, -1 for rows that are left out."""
    samples = np.full((1 + len(subsets), n), -1, np.int32)
    samples[0] = np.arange(n)
    for row, subset in zip(samples[1:], subsets, strict=True):
        row[subset] = subset
    return samples


def by_estimator(
    x: Rows, y: Rows, permutations: Indices, subsets: Sequence[Indices], *, name: str, fraction: float, seed: int
) -> Dimensions:
    """Estimate all dimensions by an estimator of scikit-dimension, each from scratch on the concatenated rows.

    Parameters
    ----------
    x, y, permutations, subsets
        As in :func:`by_shared_distances`.
    name
        A class of ``skdim.id``.
    fraction
        Used by ``TwoNN`` only.
    seed
        Passed to estimators that take a ``random_state``.

    Raises
    ------
    FreqmapsError
        There is no such estimator.
    """
    estimate = _estimator(name, fraction, seed)
    a, b = x.tile(0, len(x)), y.tile(0, len(y))

    def three(rows: Indices | slice) -> list[float]:
        return [estimate(a[rows]), estimate(b[rows]), estimate(np.hstack([a[rows], b[rows]]))]

    permuted = [estimate(np.hstack([a, b[p]])) for p in permutations]
    sampled = [three(subset) for subset in subsets]
    return Dimensions(
        np.array(three(slice(None))),
        np.full(3, len(x), dtype=np.int64),
        np.array(permuted, dtype=np.float64),
        np.array(sampled, dtype=np.float64).reshape(-1, 3),
    )


def estimator_names() -> list[str]:
    """Return the names of scikit-dimension's estimators."""
    import skdim.id

    return sorted(n for n, c in vars(skdim.id).items() if isinstance(c, type) and hasattr(c, "fit"))


def _estimator(name: str, fraction: float, seed: int) -> Callable[[NDArray[np.float64]], float]:
    if name not in estimator_names():
        raise FreqmapsError(f"idcor: no estimator named '{name}'; {nearest(name, ['twonn', *estimator_names()])}")
    import inspect

    import skdim.id

    kind: Any = getattr(skdim.id, name)
    settings: dict[str, Any] = {"discard_fraction": 1 - fraction} if name == "TwoNN" else {}
    if "random_state" in inspect.signature(kind).parameters:
        settings["random_state"] = seed % 2**32

    def estimate(points: NDArray[np.float64]) -> float:
        with warnings.catch_warnings():
            # Estimators warn of duplicates and of small samples; here that shows in the value.
            warnings.simplefilter("ignore")
            try:
                return float(kind(**settings).fit(points).dimension_)
            except (ValueError, np.linalg.LinAlgError):
                return float("nan")

    return estimate

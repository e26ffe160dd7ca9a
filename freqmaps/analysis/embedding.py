"""Maps as points in the plane, and whether classes cluster there (Karantzas et al., figure 8)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from freqmaps.core.arrays import labelled_rows
from freqmaps.core.errors import FreqmapsError


@dataclass(frozen=True)
class ClusterScores:
    """How strongly points cluster by class.

    Attributes
    ----------
    silhouette, silhouettes
        Mean over points, and by class, of ``(b - a) / max(a, b)``: a the mean distance to the own class, b that to the
        nearest other class (Rousseeuw 1987, J. Comput. Appl. Math. 20, 53); in [-1, 1].
    purity, purities
        Mean over points, and by class, of the share of a point's nearest neighbours that are of its class; in [0, 1].
    chance, chances
        What purity would be if labels meant nothing: ``(n_c - 1) / (n - 1)``, its mean over points, and by class.
    p_value
        ``(1 + #{shuffled labels: purity >= the observed}) / (1 + permutations)``; NaN without permutations.
    neighbours, n
        Neighbours per point, and points.
    """

    silhouette: float
    silhouettes: Mapping[Any, float]
    purity: float
    purities: Mapping[Any, float]
    chance: float
    chances: Mapping[Any, float]
    p_value: float
    neighbours: int
    n: int


def umap_embedding(
    features: ArrayLike, *, neighbours: int = 20, min_distance: float = 0.1, seed: int = 42
) -> NDArray[np.float64]:
    """Return points in the plane whose neighbourhoods are those of the rows: UMAP (McInnes et al. 2018).

    Parameters
    ----------
    features
        (n, ...) at least 4 rows: maps (``half_planes``) or their linear responses.
    neighbours
        Rows that count as a row's neighbourhood; n - 1 if there are fewer.
    min_distance
        How close points may lie, in [0, 1].
    seed
        Fixed, and one thread: the same rows give the same points with the same libraries, not across their versions.

    Returns
    -------
    ndarray of float64, shape (n, 2)
        Without units; only who lies beside whom means something.

    Raises
    ------
    FreqmapsError
        Fewer than 4 rows, NaN, or settings out of range.
    """
    rows, _ = labelled_rows(features, np.arange(len(np.asarray(features))), "embedding")
    if len(rows) < 4 or neighbours < 2 or not 0 <= min_distance <= 1:
        raise FreqmapsError(
            f"embedding: {len(rows)} rows, neighbours {neighbours}, min_distance {min_distance:g}; give 4 rows or "
            "more, 2 neighbours or more, a distance in [0, 1]"
        )
    with warnings.catch_warnings():
        # Importing says that a part which needs tensorflow is missing; few or equal rows make it speak of its choice
        # of a starting point. Neither concerns the reader.
        warnings.simplefilter("ignore")
        from umap import UMAP

        # With fewer rows than this the spectral start has no eigenvectors to choose from.
        start = "spectral" if len(rows) > 10 else "random"
        reducer = UMAP(
            n_components=2, n_neighbors=min(neighbours, len(rows) - 1), min_dist=min_distance, init=start,
            random_state=seed, n_jobs=1,
        )  # fmt: skip
        return np.asarray(reducer.fit_transform(rows.astype(np.float32)), dtype=np.float64)


def cluster_scores(
    points: ArrayLike, labels: ArrayLike, *, neighbours: int = 15, permutations: int = 999, seed: int = 0
) -> ClusterScores:
    """Return scores of how strongly points cluster by class, in an embedding's plane or in the original space.

    Parameters
    ----------
    points
        (n, ...) at least 3.
    labels
        (n,) their classes: at least two, and fewer than points.
    neighbours
        For the purity; n - 1 if there are fewer.
    permutations, seed
        Of the labels.

    Raises
    ------
    FreqmapsError
        Too few points or classes, or NaN.
    """
    from sklearn.metrics import silhouette_samples
    from sklearn.neighbors import NearestNeighbors

    rows, names = labelled_rows(points, labels, "clusters")
    classes, index = np.unique(names, return_inverse=True)
    if not 2 <= len(classes) < len(rows) or neighbours < 1:
        raise FreqmapsError(
            f"clusters: {len(rows)} points of {len(classes)} classes, neighbours {neighbours}; give two classes or "
            "more, fewer than points, and 1 neighbour or more"
        )
    neighbour_count = min(neighbours, len(rows) - 1)
    # Asked about its own points the search leaves each point itself out.
    nearest = NearestNeighbors(n_neighbors=neighbour_count).fit(rows).kneighbors(return_distance=False)
    purity = (index[nearest] == index[:, None]).mean(axis=1)
    chance = ((np.bincount(index) - 1) / (len(rows) - 1))[index]
    silhouette = silhouette_samples(rows, index)
    return ClusterScores(
        *_summary(silhouette, index, classes),
        *_summary(purity, index, classes),
        *_summary(chance, index, classes),
        p_value=_p_value(nearest, index, float(purity.mean()), permutations, seed),
        neighbours=neighbour_count,
        n=len(rows),
    )


def _summary(
    values: NDArray[np.float64], index: NDArray[np.int64], classes: NDArray[Any]
) -> tuple[float, dict[Any, float]]:
    return float(values.mean()), {c: float(values[index == i].mean()) for i, c in enumerate(classes.tolist())}


def _p_value(
    nearest: NDArray[np.int64], index: NDArray[np.int64], observed: float, permutations: int, seed: int
) -> float:
    if permutations < 1:
        return float("nan")
    rng = np.random.default_rng(seed)
    above = 0
    for _ in range(permutations):
        shuffled = rng.permutation(index)
        above += float((shuffled[nearest] == shuffled[:, None]).mean()) >= observed - 1e-12
    return (1 + above) / (1 + permutations)

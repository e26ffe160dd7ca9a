"""Maps, and linear responses to them, as points in the plane, and how far classes cluster (K22, Figure 8)."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Literal

import numpy as np

from freqmaps.analysis.embedding import ClusterScores, cluster_scores, umap_embedding
from freqmaps.analysis.linear import linear_responses
from freqmaps.core.errors import FreqmapsError
from freqmaps.evaluation._api import Evaluated, Network, Row
from freqmaps.evaluation._mapped import Mapped, mapped

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from freqmaps.results.reader import Inputs

NEEDS = ("maps",)
LIBRARIES = ("umap-learn", "pynndescent", "numba", "scikit-learn")
RANGES = {
    "neighbours": "[2, 10000)", "min_distance": "[0, 1)", "folds": "[2, 1000)", "regularisation": "(0, 1e9)",
    "score_neighbours": "[1, 10000)", "permutations": "[1, 1e6)",
}  # fmt: skip
TINY = {"maps": "tiny", "neighbours": 4, "folds": 2, "permutations": 9, "score_neighbours": 3}


def compute(
    inputs: Inputs,
    network: Network,
    *,
    seed: int,
    maps: str,
    images: Literal["essential", "adversarial", "transferred"] = "essential",
    neighbours: int = 20,
    min_distance: float = 0.1,
    folds: int = 5,
    regularisation: float = 1.0,
    score_neighbours: int = 15,
    permutations: int = 999,
) -> Evaluated:
    """Return points in the plane for maps and for the responses of a linear classifier to them, and cluster scores.

    Responses are held out: each fold's come from a classifier fitted to the other folds, so that clusters of classes
    are not those of maps learned by heart. Scores are taken before the embedding and in the plane.

    Parameters
    ----------
    inputs, network
        The network's results; the network.
    seed
        Of folds, embedding and permutations.
    maps, images
        The map setting, and which of its maps; their label is the true class of the image.
    neighbours, min_distance
        Of UMAP.
    folds, regularisation
        Of the linear classifier; folds are at most the maps of the smallest class, at least two.
    score_neighbours
        Neighbours whose class the purity asks for.
    permutations
        Of the labels, for the p-value of the purity.

    Returns
    -------
    Evaluated
        Rows: ``images``, ``attack``, ``against``; ``what`` (``maps``, ``responses``); ``space`` (``rows``: before the
        embedding; ``plane``); ``measure`` ``silhouette`` or ``purity``; ``chance`` (of the purity under shuffled
        labels); ``p_value`` (of the purity); those of every evaluation; ``left_out``, maps of classes that have one
        only; ``reason``, why there is no value. Samples: ``images``, ``attack``, ``against``, ``label``, and
        ``maps_x``, ``maps_y``, ``responses_x``, ``responses_y``.
    """
    rows: list[Row] = []
    samples: list[Row] = []
    for map_set in mapped(inputs, network, maps, images):
        kept = _enough(map_set)
        left_out = int((~kept).sum())
        try:
            spaces = _spaces(map_set.rows[kept], map_set.labels[kept], folds, regularisation, seed)
            planes = {
                what: umap_embedding(points, neighbours=neighbours, min_distance=min_distance, seed=seed)
                for what, points in spaces.items()
            }
        except FreqmapsError as error:  # too few maps: a finding, of which the study must not die
            rows += [_row(map_set.names, *place, None, left_out, str(error)) for place in _PLACES]
            continue
        points = {(what, "rows"): spaces[what] for what in spaces} | {(what, "plane"): planes[what] for what in planes}
        for what, space in _PLACES:
            scores = cluster_scores(
                points[what, space], map_set.labels[kept], neighbours=score_neighbours, permutations=permutations,
                seed=seed,
            )  # fmt: skip
            rows += [
                _row(map_set.names, what, space, (measure, scores), left_out) for measure in ("silhouette", "purity")
            ]
        samples += _points(map_set, kept, planes)
    return Evaluated(rows, samples)


_PLACES = [(what, space) for what in ("maps", "responses") for space in ("rows", "plane")]


def _enough(map_set: Mapped) -> NDArray[np.bool_]:
    """Whether each map has another of its class: a class of one can neither cluster nor be held out."""
    classes, sizes = np.unique(map_set.labels, return_counts=True)
    return np.isin(map_set.labels, classes[sizes > 1])


def _spaces(
    maps: NDArray[np.float32], labels: NDArray[np.int64], folds: int, regularisation: float, seed: int
) -> dict[str, NDArray[np.float64]]:
    smallest = int(np.unique(labels, return_counts=True)[1].min(initial=len(labels)))
    responses = linear_responses(
        maps, labels, folds=max(min(folds, smallest), 2), regularisation=regularisation, seed=seed
    )
    return {"maps": maps.astype(np.float64), "responses": responses}


def _row(
    names: dict[str, str],
    what: str,
    space: str,
    measured: tuple[str, ClusterScores] | None,
    left_out: int,
    reason: str = "",
) -> Row:
    measure, scores = measured or ("purity", None)
    purity = scores if measure == "purity" else None
    return {
        **names, "what": what, "space": space, "measure": measure,
        "value": nan if scores is None else scores.purity if purity else scores.silhouette,
        "n": scores.n if scores else 0, "low": nan, "high": nan,
        "chance": purity.chance if purity else nan, "p_value": purity.p_value if purity else nan,
        "left_out": left_out, "reason": reason,
    }  # fmt: skip


def _points(map_set: Mapped, kept: NDArray[np.bool_], planes: dict[str, NDArray[np.float64]]) -> list[Row]:
    ids = [s for s, keep in zip(map_set.ids, kept.tolist(), strict=True) if keep]
    columns = {f"{what}_{axis}": planes[what][:, i].round(5).tolist() for what in planes for i, axis in enumerate("xy")}
    labels = map_set.labels[kept].tolist()
    points = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    points = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return [
        {"sample": sample, **map_set.names, "label": label} | point
        for sample, label, point in zip(ids, labels, points, strict=True)
    ]

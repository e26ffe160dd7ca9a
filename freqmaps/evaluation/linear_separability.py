"""How well a linear classifier tells the classes of maps, held against shuffled labels (Karantzas et al., Table 3)."""

from __future__ import annotations

from math import nan, sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np

from freqmaps.analysis.linear import Separability, separability
from freqmaps.core.errors import FreqmapsError
from freqmaps.evaluation._api import Network, Row
from freqmaps.evaluation._mapped import Mapped, mapped
from freqmaps.inference.proportions import wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from freqmaps.results.reader import Inputs

NEEDS = ("maps",)
LIBRARIES = ("scikit-learn",)
RANGES = {
    "splits": "[1, 10000)", "test_fraction": "(0, 1)", "shuffles": "[0, 100000)", "regularisation": "(0, 1e9)",
}  # fmt: skip
TINY = {"maps": "tiny", "splits": 3, "shuffles": 4, "test_fraction": 0.3}


def compute(
    inputs: Inputs,
    network: Network,
    *,
    seed: int,
    maps: str,
    images: Literal["essential", "adversarial", "transferred"] = "essential",
    splits: int = 20,
    test_fraction: float = 0.15,
    shuffles: int = 20,
    regularisation: float = 1.0,
) -> list[Row]:
    """Return the accuracy of a linear classifier of maps, by true and by shuffled labels, fitted maps and others.

    See :func:`freqmaps.analysis.separability`: each split takes as many maps of each class as the smallest has.

    Parameters
    ----------
    inputs, network
        The network's results; the network.
    seed
        Of splits and shuffles.
    maps, images
        The map setting, and which of its maps; their label is the true class of the image.
    splits, test_fraction
        How many splits; the part of each class to test on (0.15 in the paper, which has one split).
    shuffles
        Times that labels are shuffled, each with as many splits. The smallest p-value is ``1 / (1 + shuffles)``.
    regularisation
        C of the logistic regression: larger fits closer.

    Returns
    -------
    list of dict
        Columns ``images``, ``attack`` and ``against`` (what the maps were made of); ``labels`` (``true``,
        ``shuffled``); ``part`` (``train``, ``test``); those of every evaluation, where ``n`` is the number of maps in
        that part of a split; ``sd`` over splits (and shuffles); ``p_value`` of the permutation test; ``per_class``,
        ``classes``, ``chance``; ``left_out``, classes with too few maps as ``class: maps``; ``unconverged`` fits;
        ``reason``, why there is no value. ``low`` and ``high`` are, for true labels, Nadeau and Bengio's corrected
        resampled interval (Machine Learning 52, 2003, 239), as splits overlap (Wilson's of one split where they agree);
        for shuffled ones the middle 95 % of the means of the shuffles: what labels that mean nothing give.
    """
    rows: list[Row] = []
    for map_set in mapped(inputs, network, maps, images):
        try:
            result = separability(
                map_set.rows, map_set.labels, splits=splits, test_share=test_fraction, shuffles=shuffles,
                regularisation=regularisation, seed=seed,
            )  # fmt: skip
        except FreqmapsError as error:  # too few maps: a finding, of which the study must not die
            rows += [_undefined(map_set, labels, part, str(error)) for labels in _LABELS for part in _PARTS]
            continue
        rows += [_row(map_set, result, labels, part) for labels in _LABELS for part in _PARTS]
    return rows


_LABELS, _PARTS = ("true", "shuffled"), ("train", "test")


def _row(map_set: Mapped, result: Separability, labels: str, part: str) -> Row:
    tested = result.tested * len(result.classes)
    values = {
        ("true", "train"): result.train, ("true", "test"): result.test,
        ("shuffled", "train"): result.shuffled_train, ("shuffled", "test"): result.shuffled_test,
    }[labels, part]  # fmt: skip
    n = tested if part == "test" else result.n - tested
    low, high = _corrected(values, n, tested / (result.n - tested)) if labels == "true" else _middle(values)
    return {
        **map_set.names, "labels": labels, "part": part, "measure": "accuracy",
        "value": float(values.mean()) if values.size else nan,
        "n": n, "low": low, "high": high,
        "sd": float(values.std(ddof=1)) if values.size > 1 else nan,
        "p_value": result.p_value, "per_class": result.per_class, "classes": len(result.classes),
        "chance": result.chance, "left_out": ", ".join(f"{k}: {v}" for k, v in result.left_out.items()),
        "unconverged": result.unconverged, "reason": "",
    }  # fmt: skip


def _undefined(map_set: Mapped, labels: str, part: str, reason: str) -> Row:
    empty: Row = {"sd": nan, "p_value": nan, "per_class": 0, "classes": len(np.unique(map_set.labels))}
    empty |= {"chance": nan, "left_out": "", "unconverged": 0, "reason": reason}
    place = {**map_set.names, "labels": labels, "part": part, "measure": "accuracy"}
    return place | {"value": nan, "n": 0, "low": nan, "high": nan} | empty


def _corrected(values: NDArray[np.float64], n: int, ratio: float) -> tuple[float, float]:
    """Return ``mean ± t sqrt((1 / k + ratio) s²)``, t of k - 1 degrees of freedom; ratio is tested / fitted maps."""
    from scipy.special import stdtrit

    k = len(values)
    if k < 2:
        return nan, nan
    mean = float(values.mean())
    if np.ptp(values) < 1e-12:  # all right every time, say: what one split allows
        return wilson(round(mean * n), n)
    half = float(stdtrit(k - 1, 0.975)) * sqrt((1 / k + ratio) * float(values.var(ddof=1)))
    return max(mean - half, 0.0), min(mean + half, 1.0)


def _middle(values: NDArray[np.float64]) -> tuple[float, float]:
    if not values.size:
        return nan, nan
    low, high = np.quantile(values.mean(axis=1), [0.025, 0.975])
    return float(low), float(high)

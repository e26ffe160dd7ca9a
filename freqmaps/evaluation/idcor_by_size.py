"""IdCor and its three dimensions by the number of images, the treatment of small entries, the pairs, the estimator.

IdCor (Basile et al., section IV-A) of the same maps has either sign, depending on entries just above 0, on the number
of images and on the estimator. Each of these choices is one column here.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite, nan
from typing import TYPE_CHECKING, Any

import numpy as np

from freqmaps.core.images import IMAGES
from freqmaps.correlation._distances import squared_distances
from freqmaps.correlation._levina_bickel import levina_bickel
from freqmaps.correlation._rows import standardised
from freqmaps.correlation.metrics import idcor
from freqmaps.evaluation._api import Network, Row
from freqmaps.matrices.pairings._partners import of_same_class

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from freqmaps.results.reader import Inputs

    Maps = NDArray[np.float32]
    Indices = NDArray[np.int64]

NEEDS = ("maps",)
BASES = ("fourier",)
LIBRARIES = ("numba",)
RANGES = {
    "smallest": "[10, 1e6]", "permutations": "[1, 1e6]", "cut": "(0, 1)", "neighbours": "[2, 10000]",
}  # fmt: skip
TINY = {"maps": "tiny", "smallest": 10, "permutations": 9, "neighbours": [3]}


def compute(
    inputs: Inputs,
    network: Network,
    *,
    seed: int,
    maps: str,
    attacks: list[str] | None = None,
    smallest: int = 200,
    permutations: int = 100,
    cut: float = 1e-3,
    neighbours: list[int] | None = None,
) -> list[Row]:
    """Return IdCor of essential and adversarial maps for each choice that may decide its value.

    Parameters
    ----------
    inputs, network
        The network's results; the network.
    seed
        Of the order in which images are cut into parts, of the partners of the same class and of the permutations.
    maps, attacks
        The map setting, over Fourier amplitudes; the attacks behind its adversarial maps, None for all.
    smallest
        The least number of images; it doubles until all are taken. Parts of one size have no image in common.
    permutations
        For the p-value of each part; see :func:`freqmaps.correlation.metrics.idcor.compute`.
    cut
        Cleaned maps: entries below it are 0.
    neighbours
        Of each point, for the maximum likelihood estimates, which have no p-value; None: 20 and 100.

    Returns
    -------
    list of dict
        Columns ``images``, ``attack``, ``against``; ``pairs`` (``matched``, ``same_class``), ``used`` (``all``,
        ``kept``: both filtered images keep the prediction), ``entries`` (``all``, ``origin``: frequency zero alone,
        ``no_origin``), ``reading`` (``made``, ``cleaned``), ``estimator`` (``twonn``, ``mle_20``, …); ``parts``, and
        ``size``, the images of each; those of every evaluation, where ``value`` is the mean of IdCor over the parts and
        ``n`` is ``size``, or 0 where a part has no value; ``sd`` over parts; ``id_x``, ``id_y``, ``id_xy`` and
        ``p_value``, means over parts. Of kept images and of some entries only matched pairs are compared. ``low`` and
        ``high`` are NaN: parts show the spread.
    """
    counts = [20, 100] if neighbours is None else neighbours
    rows: list[Row] = []
    for names, both in _pairs_of_maps(inputs, network, maps, attacks):
        for case, x, y in _cases(*both, seed):
            for reading, least in (("made", 0.0), ("cleaned", cut)):
                cleaned = [np.where(np.abs(m) < least, np.float32(0), m) for m in (x, y)]
                for n in _sizes(len(x), smallest):
                    order = np.random.default_rng([seed, n]).permutation(len(x))
                    parts = [np.sort(order[i * n : (i + 1) * n]) for i in range(len(x) // n)]
                    estimates = [_estimates(cleaned[0][p], cleaned[1][p], seed, permutations, counts) for p in parts]
                    rows += [names | case | {"reading": reading} | row for row in _summarised(estimates, n)]
    return rows or [_NOTHING]


#: Where there are no adversarial maps: a finding, of which the study must not die.
_NOTHING: Row = {
    **dict.fromkeys(("images", "attack", "against", "pairs", "used", "entries", "reading", "estimator"), ""),
    "parts": 0, "size": 0, "measure": "idcor", "value": nan, "n": 0, "low": nan, "high": nan, "sd": nan,
    "id_x": nan, "id_y": nan, "id_xy": nan, "p_value": nan,
}  # fmt: skip


def _sizes(n: int, smallest: int) -> list[int]:
    """Return smallest, twice, four times as many…, and all n.

    >>> _sizes(1000, 200), _sizes(100, 200)
    ([200, 400, 800, 1000], [100])
    """
    sizes = []
    while smallest < n:
        sizes.append(smallest)
        smallest *= 2
    return [*sizes, n] if n else []


def _pairs_of_maps(
    inputs: Inputs, network: Network, setting: str, attacks: list[str] | None
) -> Iterator[tuple[dict[str, str], tuple[Maps, Maps, Indices, NDArray[np.bool_]]]]:
    """Yield, for each attack, full planes of both maps of each image, its class, and whether both are kept."""
    results = inputs.select("maps", **network.names, maps=setting)
    sources = dict.fromkeys(tuple(r.names[f] for f in IMAGES) for r in results if r.names["images"] == "adversarial")
    wanted = [dict(zip(IMAGES, values, strict=True)) for values in sources]
    wanted = [names for names in wanted if attacks is None or names["attack"] in attacks]
    if not wanted:
        return
    variables = ["map", "label", "keeps_prediction"]
    first = inputs.maps(**network.names, maps=setting, images="essential", variables=variables)
    for names in wanted:
        second = inputs.maps(**network.names, maps=setting, **names, variables=variables)
        common = sorted(set(first["sample"].values) & set(second["sample"].values))
        essential, adversarial = first.sel(sample=common), second.sel(sample=common)
        kept = essential["keeps_prediction"].values & adversarial["keeps_prediction"].values
        yield (
            names,
            (essential["map"].values, adversarial["map"].values, essential["label"].values.astype(np.int64), kept),
        )


def _cases(
    x: Maps, y: Maps, labels: Indices, kept: NDArray[np.bool_], seed: int
) -> Iterator[tuple[dict[str, str], Maps, Maps]]:
    """Yield what is compared, and both matrices (m, entries)."""
    a, b = (m.reshape(len(m), -1) for m in (x, y))
    middle = np.zeros(x.shape[1:], dtype=bool)
    middle[:, x.shape[2] // 2, x.shape[3] // 2] = True
    origin = middle.reshape(-1)
    samples, partners = of_same_class(labels, np.random.default_rng(seed))
    for pairs, used, entries, first, second in (
        ("matched", "all", "all", a, b),
        ("matched", "kept", "all", a[kept], b[kept]),
        ("same_class", "all", "all", a[samples], b[partners]),
        ("matched", "all", "origin", a[:, origin], b[:, origin]),
        ("matched", "all", "no_origin", a[:, ~origin], b[:, ~origin]),
    ):
        yield {"pairs": pairs, "used": used, "entries": entries}, first, second


def _estimates(x: Maps, y: Maps, seed: int, permutations: int, neighbours: list[int]) -> dict[str, Row]:
    """Return value, three dimensions and p-value of each estimator."""
    metric = idcor.compute(x, y, seed=seed, permutations=permutations, subsamples=0, repeats=0)
    dimensions = {key: metric.extra.get(key, nan) for key in ("id_x", "id_y", "id_xy")}
    p_value = nan if metric.p_value is None else metric.p_value
    estimates: dict[str, Row] = {"twonn": {"value": metric.value, "p_value": p_value} | dimensions}
    if len(x) < 2:
        return estimates | {f"mle_{k}": dict.fromkeys(estimates["twonn"], nan) for k in neighbours}
    a, b = (squared_distances(standardised(m), block=512, diagonal=np.inf) for m in (x, y))
    for k in neighbours:
        each = [levina_bickel(squared, k) for squared in (a, b, a + b)]
        largest = max(each[:2])
        value = (each[0] + each[1] - each[2]) / largest if largest > 0 else nan
        estimates[f"mle_{k}"] = {"value": value, "p_value": nan} | dict(zip(dimensions, each, strict=True))
    return estimates


def _summarised(estimates: list[dict[str, Row]], n: int) -> Iterator[dict[str, Any]]:
    for estimator in estimates[0] if estimates else ():
        each = {key: np.array([part[estimator][key] for part in estimates]) for key in estimates[0][estimator]}
        spread = float(each["value"].std(ddof=1)) if len(estimates) > 1 else nan
        means = {key: float(values.mean()) for key, values in each.items()}
        value = means.pop("value")
        yield {"estimator": estimator, "parts": len(estimates), "size": n, "measure": "idcor", "value": value,
               "n": n if isfinite(value) else 0, "low": nan, "high": nan, "sd": spread} | means  # fmt: skip

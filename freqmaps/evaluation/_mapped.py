"""Reading the frequency maps, with their labels, for evaluations that need maps and no predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from freqmaps.analysis.linear import half_planes
from freqmaps.core.images import IMAGES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from freqmaps.evaluation._api import Network
    from freqmaps.results.reader import Inputs


@dataclass(frozen=True)
class Mapped:
    """All maps of one setting and one kind of image.

    Attributes
    ----------
    names
        ``images``, ``attack`` and ``against``: what the maps were made of.
    ids, labels
        n sample ids and (n,) true classes.
    rows
        (n, d) float32: the maps' half planes; all entries of maps that do not lie over frequencies.
    """

    names: dict[str, str]
    ids: list[str]
    labels: NDArray[np.int64]
    rows: NDArray[Any]


def mapped(inputs: Inputs, network: Network, setting: str, images: str) -> list[Mapped]:
    """Return the network's maps of a setting and a kind (``essential``, …), one entry for each attack behind them."""
    results = inputs.select("maps", **network.names, maps=setting)
    sources = dict.fromkeys(tuple(r.names[f] for f in IMAGES) for r in results if r.names["images"] == images)
    sets = []
    for values in sources:
        names = dict(zip(IMAGES, values, strict=True))
        store = inputs.maps(**network.names, maps=setting, **names, variables=["map", "label"], basis=None)
        maps = store["map"].values
        rows = half_planes(maps) if "ky" in store.dims else maps.reshape(len(maps), int(np.prod(maps.shape[1:])))
        sets.append(Mapped(names, [str(s) for s in store["sample"].values], store["label"].values, rows))
    return sets

"""Reading the frequency maps, with their labels, for evaluations that need maps and no predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from freqmaps.analysis.linear import half_planes
from freqmaps.core.images import called

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from freqmaps.evaluation._api import Network
    from freqmaps.results.reader import Inputs


@dataclass(frozen=True)
class Mapped:
    """All maps of one setting and one kind of image.

    Attributes
    ----------
    of
        What tables call the images: ``essential``, an attack, or ``attack@training``.
    ids, labels
        n sample ids and (n,) true classes.
    rows
        (n, d) float32: the maps' half planes; all entries of maps that do not lie over frequencies.
    """

    of: str
    ids: list[str]
    labels: NDArray[np.int64]
    rows: NDArray[Any]


def mapped(inputs: Inputs, network: Network, setting: str, of: str) -> list[Mapped]:
    """Return the network's maps of a setting and a kind (``essential``, …), one entry for each attack behind them."""
    results = inputs.select("maps", **network.names, maps=setting)
    fields = ("images", "attack", "against")
    made = {called(r.names): {f: r.names[f] for f in fields} for r in results if r.names["images"] == of}
    found = []
    for name, images in made.items():
        store = inputs.maps(**network.names, maps=setting, **images, variables=["map", "label"], basis=None)
        values = store["map"].values
        rows = (
            half_planes(values) if "ky" in store.dims else values.reshape(len(values), int(np.prod(values.shape[1:])))
        )
        found.append(Mapped(name, [str(s) for s in store["sample"].values], store["label"].values, rows))
    return found

"""The maps that an evaluation of maps alone looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from freqmaps.analysis.linear import half_planes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from freqmaps.evaluation._api import Network
    from freqmaps.results import Inputs


@dataclass(frozen=True)
class Mapped:
    """All maps of one setting and one kind of image.

    Attributes
    ----------
    of
        The config's name of the images: ``essential``, an attack, or ``attack@training``.
    ids, labels
        n sample ids and (n,) true classes.
    rows
        (n, d) float32: the maps' half planes.
    """

    of: str
    ids: list[str]
    labels: NDArray[np.int64]
    rows: NDArray[Any]


def mapped(inputs: Inputs, network: Network, setting: str, of: str) -> list[Mapped]:
    """Return the network's maps of a setting and a kind (``essential``, …), one entry for each attack behind them."""
    results = inputs.select("maps", **network.names, maps=setting)
    names = dict.fromkeys(r.names["of"] for r in results if r.manifest["spec"]["parameters"]["of"] == of)
    found = []
    for name in names:
        store = inputs.maps(**network.names, maps=setting, of=name, variables=["map", "label"])
        ids = [str(s) for s in store["sample"].values]
        found.append(Mapped(name, ids, store["label"].values, half_planes(store["map"].values)))
    return found

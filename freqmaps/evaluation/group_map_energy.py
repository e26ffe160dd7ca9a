"""How the energy of group maps is distributed by radius and by direction (Karantzas et al., section 3.1, figure 4)."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np

from freqmaps.evaluation._api import Evaluated, Network, Row
from freqmaps.evaluation._energies import energies

if TYPE_CHECKING:
    from freqmaps.results.reader import Inputs

NEEDS = ("group_maps",)
BASES = ("fourier", "fourier_normalised")
RANGES = {"bands": "[2, 10000)"}
TINY = {"group_maps": "tiny", "bands": 4}


def compute(
    inputs: Inputs,
    network: Network,
    *,
    seed: int,
    group_maps: str,
    masks_of: list[str] | None = None,
    bands: int = 32,
) -> Evaluated:
    """Return the shares of each group map's energy (the square of its entries, channels added) in rings and sectors.

    Parameters
    ----------
    inputs, network
        The results; the network, which is not asked.
    seed
        Not used.
    group_maps
        The setting whose maps are looked at.
    masks_of
        Trainings (of the same dataset, model and seed) whose maps are looked at too, so that one evaluation serves all.
    bands
        Rings, and sectors; the paper has 32. Small images have few frequencies: take fewer.

    Returns
    -------
    Evaluated
        A row per map: ``masks_of`` (the training whose network it was learned on), ``images`` and ``attack`` (what it
        was made of), ``group``, ``label`` (-1: all classes) and ``start``; ``measure`` is ``low_share``, the share of
        its energy below half the largest radius, NaN with ``n`` 0 for a map without energy. Arrays: those of
        :func:`freqmaps.evaluation._energies.energies` along ``map``, in the order of the rows.
    """
    about: list[dict[str, Any]] = []
    planes = []
    for result in inputs.select("group_maps", group_maps=group_maps):
        store = inputs.group_maps(**result.names, basis=None)
        origin = {"masks_of": result.names["training"], "images": result.names["images"]}
        origin["attack"] = result.names["attack"]
        columns = (store[name].values for name in ("group", "label", "start"))
        for group, label, start in zip(*columns, strict=True):
            about.append(origin | {"group": str(group), "label": int(label), "start": int(start)})
        planes.append(np.square(store["map"].values.astype(np.float64)).sum(axis=1))
    arrays = energies(np.concatenate(planes), bands, {"map": np.arange(len(about))})
    return Evaluated([_row(a, float(low)) for a, low in zip(about, arrays["low"].values, strict=True)], arrays=arrays)


def _row(about: Row, low: float) -> Row:
    n = int(np.isfinite(low))
    return about | {"measure": "low_share", "value": low if n else nan, "n": n, "low": nan, "high": nan}

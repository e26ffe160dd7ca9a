"""How the energy of single-image maps is distributed by radius and by direction (Karantzas et al., figure 7)."""

from __future__ import annotations

from math import nan, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from freqmaps.core.images import IMAGES
from freqmaps.evaluation._api import Evaluated, Network, Row
from freqmaps.evaluation._energies import energies
from freqmaps.inference.estimates import Z95
from freqmaps.spectra.masks import binary_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from freqmaps.results.reader import Inputs

NEEDS = ("maps",)
BASES = ("fourier", "fourier_normalised")
RANGES = {"bands": "[2, 10000)"}
TINY = {"maps": "tiny", "bands": 4}

#: How maps are read: as they were made, or with every entry above 1e-8 set to 1, as in the released code of the paper.
READINGS = ("made", "binary")


def compute(inputs: Inputs, network: Network, *, seed: int, maps: str, bands: int = 32) -> Evaluated:
    """Return the shares of each map's energy (the square of its entries, channels added) in rings and sectors.

    All maps of the setting are looked at, whatever images they were made of.

    Parameters
    ----------
    inputs, network
        The network's results; the network, which is not asked.
    seed
        Not used.
    maps
        The map setting.
    bands
        Rings, and sectors; the paper has 32, its authors' notebook 64. Small images have few frequencies: take fewer.

    Returns
    -------
    Evaluated
        Rows: ``images``, ``attack`` and ``against`` (what the maps were made of); ``reading`` (``made``; ``binary``:
        entries above 1e-8 set to 1, see :func:`freqmaps.spectra.masks.binary_mask`); ``measure`` is ``low_share``, the
        mean over maps of the share of energy below half the largest radius, with its normal interval; ``n``, and
        ``empty``, maps without energy, which are left out. Samples: ``images``, ``attack`` and ``against`` of each map.
        Arrays: those of :func:`freqmaps.evaluation._energies.energies` along ``map``, in the order of the samples, and
        ``reading``.
    """
    samples: list[Row] = []
    planes = []
    results = inputs.select("maps", **network.names, maps=maps)
    for values in dict.fromkeys(tuple(r.names[field] for field in IMAGES) for r in results):
        names = dict(zip(IMAGES, values, strict=True))
        store = inputs.maps(**network.names, maps=maps, **names, variables=["map"], basis=None)
        samples += [{"sample": str(s)} | names for s in store["sample"].values]
        planes.append(_planes(store["map"].values))
    along: dict[str, Any] = {"map": np.arange(len(samples)), "reading": list(READINGS)}
    arrays = energies(np.concatenate(planes), bands, along)
    made_of = np.array([tuple(row[field] for field in IMAGES) for row in samples])
    rows = []
    for values in dict.fromkeys(map(tuple, made_of.tolist())):
        mine = (made_of == np.array(values)).all(axis=1)
        names = dict(zip(IMAGES, values, strict=True))
        for reading in READINGS:
            rows.append(_row(names | {"reading": reading}, arrays["low"].sel(reading=reading).values[mine]))
    return Evaluated(rows, samples, arrays)


def _planes(maps: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the energy of maps (n, c, h, w) in both readings, (n, 2, h, w)."""
    wide = maps.astype(np.float64)
    return np.stack([np.square(read).sum(axis=1) for read in (wide, binary_mask(wide))], axis=1)


def _row(names: Row, low: NDArray[np.float64]) -> Row:
    known = low[np.isfinite(low)]
    n = len(known)
    mean = float(known.mean()) if n else nan
    half = Z95 * float(known.std(ddof=1)) / sqrt(n) if n > 1 else nan
    bounds = {"low": mean - half, "high": mean + half}
    return names | {"measure": "low_share", "value": mean, "n": n} | bounds | {"empty": len(low) - n}

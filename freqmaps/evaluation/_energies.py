"""Labelled arrays of the energy of maps by radius and by direction: what the evaluations of energies share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from freqmaps.spectra.bands import angular_energy, radial_energy, ring_edges, rings, sector_angles, sectors
from freqmaps.spectra.profiles import low_share

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_MISSING = "the map is 0 everywhere, or everywhere but at the origin: there is no energy to take shares of"


def energies(planes: NDArray[np.float64], bands: int, along: Mapping[str, NDArray[Any] | list[Any]]) -> xr.Dataset:
    """Return how the energy of planes is distributed over rings and over sectors.

    Parameters
    ----------
    planes
        (n, ..., h, w) float64, not negative: squares of maps, channels added. The axes between are those of ``along``
        after its first.
    bands
        Rings of equal width, and sectors; see :mod:`freqmaps.spectra.bands`.
    along
        Names of all axes but the last two, with their labels.

    Returns
    -------
    xarray.Dataset
        ``radial`` (..., radius) and ``angular`` (..., direction), shares of each plane's energy, the latter without the
        origin's; ``low`` (...), the share below half the largest radius; ``in_ring`` (radius) and ``in_sector``
        (direction), how many frequencies lie in each. ``radius`` has the middles of the rings in cycles per image,
        ``direction`` those of the sectors in degrees from the kx axis.
    """
    height, width = planes.shape[-2:]
    edges, axes = ring_edges(height, width, bands), tuple(along)
    shares = {
        "radial": ((*axes, "radius"), radial_energy(planes, bands)),
        "angular": ((*axes, "direction"), angular_energy(planes, bands)),
        "low": (axes, low_share(planes)),
    }
    counts = {
        "in_ring": ("radius", _members(rings(height, width, bands), bands)),
        "in_sector": ("direction", _members(sectors(height, width, bands), bands)),
    }
    places = {"radius": (edges[1:] + edges[:-1]) / 2, "direction": np.rad2deg(sector_angles(bands))}
    dataset = xr.Dataset({**shares, **counts}, {**along, **places})
    for name in shares:
        dataset[name].attrs["missing"] = _MISSING
    return dataset


def _members(index: NDArray[np.int64], bands: int) -> NDArray[np.int64]:
    """Return (bands,) how many frequencies have each index."""
    return np.bincount(index.ravel() + 1, minlength=bands + 1)[1:].astype(np.int64)

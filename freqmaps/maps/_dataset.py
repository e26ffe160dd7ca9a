"""Frequency maps as a labelled xarray dataset, which is the content of the map store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from freqmaps.core.errors import FreqmapsError
from freqmaps.maps._compute import Maps

if TYPE_CHECKING:
    import xarray as xr


def to_dataset(
    maps: Maps,
    sample_ids: Sequence[str],
    labels: NDArray[np.int64],
    targets: NDArray[np.int64],
    attrs: Mapping[str, Any],
) -> xr.Dataset:
    """Return maps as a dataset that keeps the contract ``freqmaps.stores.MAPS``.

    Parameters
    ----------
    maps
        n maps.
    sample_ids
        n stable ids.
    labels, targets
        (n,) ground truth, and the classes that the maps keep.
    attrs
        Must have ``images`` (``essential`` or ``adversarial``), ``objective`` and ``parameters``; ``basis`` and
        ``basis_parameters`` if the basis is not ``fourier``.

    Returns
    -------
    xr.Dataset
        Dims ``sample, channel, ky, kx`` for amplitudes: full planes, origin in the middle, with the signed frequencies
        as coordinates. Other bases have the axes of their layout, which the attribute ``layout`` names.

    Raises
    ------
    FreqmapsError
        Ids, labels or targets are not as many as the maps.
    """
    import xarray as xr

    n = len(maps.map)
    if not n == len(sample_ids) == len(labels) == len(targets):
        raise FreqmapsError(
            f"maps: {n} maps, {len(sample_ids)} ids, {len(labels)} labels and {len(targets)} targets; "
            "give as many of each"
        )
    return xr.Dataset(
        {
            "map": (("sample", *maps.layout.dims), maps.layout.to_store(maps.map)),
            "target": ("sample", np.asarray(targets, dtype=np.int64)),
            "label": ("sample", np.asarray(labels, dtype=np.int64)),
            "steps": ("sample", maps.steps),
            "loss": ("sample", maps.loss),
            "converged": ("sample", maps.converged),
            "keeps_prediction": ("sample", maps.keeps_prediction),
        },
        coords={
            "sample": ("sample", np.array([str(s) for s in sample_ids], dtype=object)),
            **maps.layout.coordinates(),
        },
        attrs={"kind": "maps", "basis": "fourier", "basis_parameters": {}, "layout": maps.layout.name, **attrs},
    )


def mean_size(store: xr.Dataset) -> float:
    """Return the mean of |M| over all maps of a store and all their coefficients, each counted once."""
    values = store["map"].values
    return float(
        (np.hypot(values[:, 0], values[:, 1]) if "part" in store["map"].dims else values).mean(dtype=np.float64)
    )

"""Group maps as a labelled xarray dataset, which is the content of the group map store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from freqmaps.core.errors import FreqmapsError
from freqmaps.group_maps._compute import GroupMaps
from freqmaps.spectra.planes import to_half

if TYPE_CHECKING:
    import xarray as xr

#: Variables along ``group``, as they stand in :class:`GroupMaps`.
_COLUMNS = (
    "label",
    "start",
    "n_images",
    "n_adversarial",
    "epochs",
    "kept_epoch",
    "converged",
    "loss",
    "accuracy",
    "filtered_accuracy",
    "adversarial_accuracy",
    "filtered_adversarial_accuracy",
    "mean_of_map",
    "share_of_zeros",
)


def group_names(labels: NDArray[np.int64], starts: NDArray[np.int64]) -> list[str]:
    """Return the name of each map: ``all`` or ``class-3``, and which start if there are several.

    >>> group_names(np.array([-1, -1]), np.array([0, 1]))
    ['all-start-0', 'all-start-1']
    """
    several = len(starts) > 0 and int(starts.max()) > 0
    return [
        ("all" if label < 0 else f"class-{label}") + (f"-start-{start}" if several else "")
        for label, start in zip(labels.tolist(), starts.tolist(), strict=True)
    ]


def to_dataset(maps: GroupMaps, attrs: Mapping[str, Any]) -> xr.Dataset:
    """Return maps as a dataset that keeps the contract ``freqmaps.stores.GROUP_MAPS``.

    Parameters
    ----------
    maps
        The maps of all groups.
    attrs
        Must have ``images`` (``essential`` or ``adversarial``), ``objective`` and ``parameters``; ``basis`` and
        ``basis_parameters`` if the basis is not ``fourier``.

    Returns
    -------
    xr.Dataset
        Dims ``group, channel, ky, kx`` for amplitudes: full planes, origin in the middle, with the signed frequencies
        as coordinates. Other bases have the axes of their layout, which the attribute ``layout`` names. And ``epoch``,
        from 1, for the history.
    """
    import xarray as xr

    columns: dict[str, Any] = {name: ("group", getattr(maps, name)) for name in _COLUMNS}
    columns |= {f"history_{name}": (("group", "epoch"), values) for name, values in maps.history.items()}
    columns["map"] = (("group", *maps.layout.dims), maps.layout.to_store(maps.map))
    epochs = maps.history["loss"].shape[1]
    return xr.Dataset(
        columns,
        coords={
            "group": ("group", np.array(group_names(maps.label, maps.start), dtype=object)),
            **maps.layout.coordinates(),
            "epoch": np.arange(1, epochs + 1, dtype=np.int64),
        },
        attrs={"kind": "group_maps", "basis": "fourier", "basis_parameters": {}, "layout": maps.layout.name, **attrs},
    )


def class_maps(store: xr.Dataset, *, start: int = 0) -> NDArray[np.float32]:
    """Return the maps of all classes in the classes' order: what :class:`freqmaps.group_maps.two_pass.TwoPass` wants.

    Parameters
    ----------
    store
        A group map store of basis ``fourier``.
    start
        Which of a class's maps, where there are several.

    Returns
    -------
    ndarray of float32
        (classes, c, h, w // 2 + 1): half planes; 1 throughout for a class that had no images.

    Raises
    ------
    FreqmapsError
        The store's groups are not classes, its maps have another basis, or there is no such start.
    """
    basis = store.attrs.get("basis", "fourier")
    if basis != "fourier":
        raise FreqmapsError(f"group_maps: the store's maps have basis '{basis}'; give maps of basis fourier")
    labels, starts = store["label"].values, store["start"].values
    if (labels < 0).any():
        raise FreqmapsError("group_maps: the store holds one map of all images, not one per class; set groups: class")
    chosen = np.flatnonzero(starts == start)
    if not len(chosen):
        raise FreqmapsError(f"group_maps: no start {start}; the store has 0 to {int(starts.max(initial=-1))}")
    return to_half(store["map"].values[chosen[np.argsort(labels[chosen])]])


def headline(maps: GroupMaps) -> dict[str, Any]:
    """Return the figures for the manifest: counts, and means over the groups that have images."""
    used = maps.n_images + maps.n_adversarial > 0

    def mean(values: NDArray[Any]) -> float | None:
        known = values[used & np.isfinite(values)]
        return float(known.mean()) if len(known) else None

    return {
        "n_maps": len(used),
        "n_empty": int((~used).sum()),
        "n_converged": int(maps.converged.sum()),
        "n_images": int(maps.n_images[maps.start == 0].sum()),
        "n_adversarial": int(maps.n_adversarial[maps.start == 0].sum()),
        "max_epochs": int(maps.epochs.max(initial=0)),
        "accuracy": mean(maps.accuracy),
        "filtered_accuracy": mean(maps.filtered_accuracy),
        "adversarial_accuracy": mean(maps.adversarial_accuracy),
        "filtered_adversarial_accuracy": mean(maps.filtered_adversarial_accuracy),
        "mean_of_map": mean(maps.mean_of_map),
        "share_of_zeros": mean(maps.share_of_zeros),
    }

"""Reading samples from stores: a range of a dataset's split, or the adversarial images of such a range."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from freqmaps.core.errors import StoreError
from freqmaps.stores import ADVERSARIAL, DATASET, open_store, read


@dataclass(frozen=True)
class Samples:
    """Some samples of a dataset.

    Attributes
    ----------
    images
        (n, channel, y, x) float32 in [0, 1], or uint8 if they were asked for as stored.
    labels
        (n,) int64.
    ids
        n sample ids.
    positions
        (n,) int64: each sample's place in the dataset store, whatever range it was taken with.
    """

    images: NDArray[Any]
    labels: NDArray[np.int64]
    ids: list[str]
    positions: NDArray[np.int64]

    def at(self, rows: NDArray[np.int64]) -> Samples:
        """Return some of the samples, by row."""
        return Samples(self.images[rows], self.labels[rows], [self.ids[i] for i in rows], self.positions[rows])


def to_unit(images: NDArray[Any]) -> NDArray[np.float32]:
    """Return images as float32 in [0, 1]; uint8 is divided by 255."""
    return images.astype(np.float32) / np.float32(255) if images.dtype == np.uint8 else images.astype(np.float32)


def select(folder: Path, *, split: str, start: int, stop: int, unit: bool = True) -> Samples:
    """Return samples ``start`` to ``stop`` of a split (``train``, ``test`` or ``all``), in the store's order.

    With ``unit=False`` images stay as they are stored: bytes take a quarter of the memory.

    Raises
    ------
    StoreError
        The split has fewer samples.
    """
    path = folder / "store.zarr.zip"
    with open_store(path, DATASET) as store:
        splits = np.array([str(s) for s in store["split"].values])
    positions = np.arange(len(splits)) if split == "all" else np.flatnonzero(splits == split)
    if stop > len(positions):
        raise StoreError(f"{path}: samples {start} to {stop} of '{split}' asked for, it has {len(positions)}")
    chosen = positions[start:stop].astype(np.int64)
    part = read(path, DATASET, _slice(chosen))
    ids = [str(s) for s in part["sample"].values]
    images = part["image"].values
    return Samples(to_unit(images) if unit else images, part["label"].values.astype(np.int64), ids, chosen)


def _slice(rows: NDArray[np.int64]) -> slice | list[int]:
    """A run of neighbours is read as a slice, which touches each chunk once."""
    if len(rows) and np.array_equal(rows, np.arange(rows[0], rows[0] + len(rows))):
        return slice(int(rows[0]), int(rows[0]) + len(rows))
    return [int(r) for r in rows]


@dataclass(frozen=True)
class Attacked:
    """The samples of an adversarial store with their predictions and adversarial images.

    Attributes
    ----------
    samples
        ``images`` are the adversarial ones, ``labels`` the ground truth.
    predictions, adversarial_predictions
        (n,) int64: the network's predictions for the clean and for the adversarial images.
    success
        (n,) bool.
    """

    samples: Samples
    predictions: NDArray[np.int64]
    adversarial_predictions: NDArray[np.int64]
    success: NDArray[np.bool_]


def attacked(folder: Path) -> Attacked:
    """Read an adversarial store."""
    store = read(folder / "store.zarr.zip", ADVERSARIAL)
    ids = [str(s) for s in store["sample"].values]
    samples = Samples(store["adversarial"].values, _integers(store, "label"), ids, np.arange(len(ids)))
    return Attacked(
        samples, _integers(store, "prediction"), _integers(store, "adversarial_prediction"), store["success"].values
    )


def _integers(store: xr.Dataset, name: str) -> NDArray[np.int64]:
    return store[name].values.astype(np.int64)

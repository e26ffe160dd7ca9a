"""Picking samples out of stores: a range of a split, or the successfully attacked ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freqmaps.errors import StoreError
from freqmaps.stores import ADVERSARIAL, DATASET, open_store, read


@dataclass(frozen=True)
class Samples:
    """Some samples of a dataset.

    Attributes
    ----------
    images
        (n, channel, y, x) float32 in [0, 1].
    labels
        (n,) int64.
    ids
        n sample ids.
    positions
        (n,) int64: each sample's place in the dataset store, whatever range it was taken with.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    ids: list[str]
    positions: NDArray[np.int64]

    def at(self, mask: NDArray[np.bool_]) -> Samples:
        """Return the samples that a boolean mask of length n picks."""
        ids = [i for i, keep in zip(self.ids, mask, strict=True) if keep]
        return Samples(self.images[mask], self.labels[mask], ids, self.positions[mask])


def to_unit(images: NDArray[Any]) -> NDArray[np.float32]:
    """Return images as float32 in [0, 1]; uint8 is divided by 255."""
    return images.astype(np.float32) / np.float32(255) if images.dtype == np.uint8 else images.astype(np.float32)


def select(folder: Path, *, split: str, start: int, stop: int) -> Samples:
    """Return samples ``start`` to ``stop`` of a split (``train``, ``test`` or ``all``), in the store's order.

    Raises
    ------
    StoreError
        The split has fewer samples.
    """
    path = folder / "store.zarr.zip"
    with open_store(path, DATASET) as store:
        splits = store["split"].values.astype(str)
    positions = np.arange(len(splits)) if split == "all" else np.flatnonzero(splits == split)
    if stop > len(positions):
        raise StoreError(f"{path}: samples {start} to {stop} of '{split}' asked for, it has {len(positions)}")
    chosen = positions[start:stop].astype(np.int64)
    part = read(path, DATASET, list(map(int, chosen)))
    ids = [str(s) for s in part["sample"].values]
    return Samples(to_unit(part["image"].values), part["label"].values.astype(np.int64), ids, chosen)


def select_adversarial(folder: Path) -> tuple[Samples, NDArray[np.int64]]:
    """Return the adversarial images of correctly classified samples on which the attack succeeded.

    Returns
    -------
    samples
        ``images`` are the adversarial ones, ``labels`` the ground truth.
    targets
        (n,) int64: the classes that the attack led to.
    """
    store = read(folder / "store.zarr.zip", ADVERSARIAL)
    label, prediction = store["label"].values, store["prediction"].values
    mask = (label == prediction) & store["success"].values
    samples = Samples(
        store["adversarial"].values,
        label.astype(np.int64),
        [str(s) for s in store["sample"].values],
        np.arange(len(label)),
    )
    return samples.at(mask), store["adversarial_prediction"].values[mask].astype(np.int64)

"""Read the images, maps and cosines that an atlas shows from the stores, one set of images at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freqmaps.core.images import ADVERSARIAL, ESSENTIAL
from freqmaps.inference.proportions import ZERO
from freqmaps.results.reader import Results
from freqmaps.stores.selection import to_unit

_FLAGS = ("converged", "keeps_prediction")
_ATTACKED = ("adversarial", "adversarial_prediction", "success", "linf", "l2")


@dataclass(frozen=True)
class ImageSet:
    """Images of one kind with their maps: the clean ones, or those of one attack. All arrays have one row per image.

    Attributes
    ----------
    of
        ``essential`` for the clean images, else the attack's name.
    sample
        (m,) int64: positions among the chosen samples, ascending.
    image
        (m, c, h, w) float32 in [0, 1].
    map
        (m, c, h, w) float32 in [0, 1], origin in the middle; 0 where there is no map.
    has_map
        (m,) bool.
    columns
        The numbers shown, (m,) each: of the maps ``steps`` (int32), ``loss`` (float64), ``sparsity`` (float64, the
        share of entries up to 1e-8), ``converged``, ``keeps_prediction`` (bool); of the clean images ``label``; of
        attacked ones ``fooled`` (the class seen, int16), ``success`` (bool), ``linf``, ``l2`` (float32) and
        ``cosine`` (float64, NaN where there is none). Steps are -1, the others NaN or False, where there is no map.
    """

    of: str
    sample: NDArray[np.int64]
    image: NDArray[np.float32]
    map: NDArray[np.float32]
    has_map: NDArray[np.bool_]
    columns: Mapping[str, NDArray[Any]]


def clean_set(inputs: Results, ids: Sequence[str]) -> tuple[ImageSet, list[str]]:
    """Read the clean images of some samples with their essential maps, and the names of the classes.

    Raises
    ------
    FreqmapsError
        A sample is not in the stores.
    StoreError
        As for :func:`freqmaps.stores.open_store`.
    """
    (dataset,) = dict.fromkeys(r.names["dataset"] for r in inputs.select("datasets"))
    store = inputs.dataset(dataset, ids, ["image", "label"])
    image = to_unit(store["image"].values)
    labels = store["label"].values.astype(np.int16)
    maps, has_map, numbers = _maps(inputs, {"images": ESSENTIAL}, ids, image.shape)
    classes = [str(name) for name in store.attrs["classes"]]
    return ImageSet(ESSENTIAL, np.arange(len(ids)), image, maps, has_map, {"label": labels, **numbers}), classes


def attacked_set(inputs: Results, attack: str, ids: Sequence[str]) -> ImageSet:
    """Read what an attack made of some samples, with the adversarial maps where it succeeded.

    Samples that this attack was not run on are left out.

    Raises
    ------
    FreqmapsError
        There are no results of this attack.
    StoreError
        As for :func:`freqmaps.stores.open_store`; or the correlation's file of single values cannot be read.
    """
    attacked_ids = set(inputs.adversarial(variables=["success"], attack=attack)["sample"].values.tolist())
    positions = np.array([i for i, name in enumerate(ids) if name in attacked_ids], dtype=np.int64)
    names = [ids[i] for i in positions]
    store = inputs.adversarial(samples=names, variables=_ATTACKED, attack=attack)
    image = store["adversarial"].values
    columns: dict[str, NDArray[Any]] = {"fooled": store["adversarial_prediction"].values.astype(np.int16)}
    columns |= {name: store[name].values for name in ("success", "linf", "l2")}
    columns["cosine"] = _cosines(inputs, attack, names)
    maps, has_map, numbers = _maps(inputs, {"images": ADVERSARIAL, "attack": attack}, names, image.shape)
    return ImageSet(attack, positions, image, maps, has_map, columns | numbers)


def _maps(
    inputs: Results, which: Mapping[str, str], ids: Sequence[str], shape: tuple[int, ...]
) -> tuple[NDArray[np.float32], NDArray[np.bool_], dict[str, NDArray[Any]]]:
    """Return maps, which of the samples have one, and the numbers of the maps."""
    mapped_ids = set(mapped_samples(inputs, **which))
    has_map = np.array([name in mapped_ids for name in ids], dtype=bool)
    maps = np.zeros(shape, dtype=np.float32)
    numbers: dict[str, NDArray[Any]] = {
        "steps": np.full(len(ids), -1, dtype=np.int32), "loss": np.full(len(ids), np.nan),
        "sparsity": np.full(len(ids), np.nan), **{name: np.zeros(len(ids), dtype=bool) for name in _FLAGS},
    }  # fmt: skip
    if has_map.any():
        names = [name for name in ids if name in mapped_ids]
        store = inputs.maps(samples=names, variables=["map", "steps", "loss", *_FLAGS], **which)
        maps[has_map] = store["map"].values
        for name in ("steps", "loss", *_FLAGS):
            numbers[name][has_map] = store[name].values
        numbers["sparsity"][has_map] = (maps[has_map] <= ZERO).mean(axis=(1, 2, 3))
    return maps, has_map, numbers


def mapped_samples(inputs: Results, **which: str) -> list[str]:
    """Return the samples that have a map of some images, none where no such maps were made."""
    if not inputs.select("maps", **which):
        return []
    return [str(name) for name in inputs.maps(variables=["steps"], **which)["sample"].values]


def _cosines(inputs: Results, attack: str, ids: Sequence[str]) -> NDArray[np.float64]:
    cosines: dict[str, float] = {}
    metrics = dict.fromkeys(r.names["metric"] for r in inputs.select("correlation", attack=attack))
    for metric in metrics:
        frame = inputs.per_sample(metric, attack=attack)
        cosines = dict(zip(frame["sample"], frame["value"], strict=True)) | cosines
    return np.array([cosines.get(name, np.nan) for name in ids], dtype=np.float64)

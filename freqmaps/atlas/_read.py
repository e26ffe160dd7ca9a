"""Stores to the arrays that an atlas shows, one set of images at a time."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freqmaps.core.errors import FreqmapsError, StoreError
from freqmaps.inference.proportions import ZERO
from freqmaps.results.reader import ESSENTIAL, STORE, Inputs
from freqmaps.stores import ADVERSARIAL, DATASET, MAPS, Contract, open_store
from freqmaps.stores.selection import to_unit

_FLAGS = ("converged", "keeps_prediction")

#: Sample id to the number of its store and its row there.
Rows = Mapping[str, tuple[int, int]]


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


def clean_set(inputs: Inputs, ids: Sequence[str]) -> tuple[ImageSet, list[str]]:
    """Read the clean images of some samples with their essential maps, and the names of the classes.

    Raises
    ------
    FreqmapsError
        A sample is not in the stores.
    StoreError
        As for :func:`freqmaps.stores.open_store`.
    """
    stores = _stores(inputs, "datasets")
    rows = _wanted(store_rows(stores, DATASET), ids, stores)
    with open_store(stores[0], DATASET) as store:
        classes = [str(name) for name in store.attrs["classes"]]
    image = to_unit(column(rows, stores, DATASET, "image"))
    labels = column(rows, stores, DATASET, "label").astype(np.int16)
    maps, has_map, numbers = _maps(inputs, ESSENTIAL, ids, image.shape)
    return ImageSet(ESSENTIAL, np.arange(len(ids)), image, maps, has_map, {"label": labels, **numbers}), classes


def attacked_set(inputs: Inputs, attack: str, ids: Sequence[str]) -> ImageSet:
    """Read what an attack made of some samples, with the adversarial maps where it succeeded.

    Samples that this attack was not run on are left out.

    Raises
    ------
    StoreError
        As for :func:`freqmaps.stores.open_store`; or the correlation's file of single values cannot be read.
    """
    stores = _stores(inputs, "attacks", attack=attack)
    there = store_rows(stores, ADVERSARIAL)
    positions = np.array([i for i, name in enumerate(ids) if name in there], dtype=np.int64)
    names = [ids[i] for i in positions]
    rows = {name: there[name] for name in names}
    image = column(rows, stores, ADVERSARIAL, "adversarial")
    columns: dict[str, NDArray[Any]] = {
        "fooled": column(rows, stores, ADVERSARIAL, "adversarial_prediction").astype(np.int16)
    }
    columns |= {name: column(rows, stores, ADVERSARIAL, name) for name in ("success", "linf", "l2")}
    columns["cosine"] = _cosines(inputs, attack, names)
    maps, has_map, numbers = _maps(inputs, attack, names, image.shape)
    return ImageSet(attack, positions, image, maps, has_map, columns | numbers)


def store_rows(stores: Sequence[Path], contract: Contract) -> dict[str, tuple[int, int]]:
    """Return where each sample lies: store and row. Where ranges overlap, the first store has it."""
    found: dict[str, tuple[int, int]] = {}
    for number, path in enumerate(stores):
        with open_store(path, contract) as store:
            for row, name in enumerate(store["sample"].values):
                found.setdefault(str(name), (number, row))
    return found


def column(rows: Rows, stores: Sequence[Path], contract: Contract, variable: str) -> NDArray[Any]:
    """Read a variable at some rows of some stores, in the order of ``rows``.

    Raises
    ------
    StoreError
        There is no store, or a chunk is corrupt.
    """
    if not stores:
        raise StoreError(f"atlas: no {contract.kind} store to read '{variable}' from; run the target that makes it")
    values: NDArray[Any] | None = None
    for number, path in enumerate(stores):
        places = [(at, row) for at, (store, row) in enumerate(rows.values()) if store == number]
        if not places and (values is not None or number + 1 < len(stores)):
            continue
        with open_store(path, contract) as lazy:
            try:
                part = lazy[variable].isel(sample=[row for _, row in places]).values
            except (zipfile.BadZipFile, ValueError, RuntimeError, OSError, KeyError) as error:
                raise StoreError(f"{path}: corrupt chunk ({error}); delete its folder and run its target") from error
        if values is None:
            values = np.zeros((len(rows), *part.shape[1:]), dtype=part.dtype)
        values[[at for at, _ in places]] = part
    assert values is not None
    return values


def _stores(inputs: Inputs, stage: str, **names: str) -> list[Path]:
    return [result.folder / STORE for result in inputs.select(stage, **names)]


def _wanted(there: Rows, ids: Sequence[str], stores: Sequence[Path]) -> Rows:
    missing = [name for name in ids if name not in there]
    if missing:
        raise FreqmapsError(f"{stores[0] if stores else 'atlas'}: no sample '{missing[0]}'; run its target again")
    return {name: there[name] for name in ids}


def _maps(
    inputs: Inputs, of: str, ids: Sequence[str], shape: tuple[int, ...]
) -> tuple[NDArray[np.float32], NDArray[np.bool_], dict[str, NDArray[Any]]]:
    """Return maps, which of the samples have one, and the numbers of the maps."""
    stores = _stores(inputs, "maps", of=of)
    there = store_rows(stores, MAPS)
    rows = {name: there[name] for name in ids if name in there}
    has_map = np.array([name in there for name in ids], dtype=bool)
    maps = np.zeros(shape, dtype=np.float32)
    numbers: dict[str, NDArray[Any]] = {
        "steps": np.full(len(ids), -1, dtype=np.int32), "loss": np.full(len(ids), np.nan),
        "sparsity": np.full(len(ids), np.nan), **{name: np.zeros(len(ids), dtype=bool) for name in _FLAGS},
    }  # fmt: skip
    if rows:
        maps[has_map] = column(rows, stores, MAPS, "map")
        for name in ("steps", "loss", *_FLAGS):
            numbers[name][has_map] = column(rows, stores, MAPS, name)
        numbers["sparsity"][has_map] = (maps[has_map] <= ZERO).mean(axis=(1, 2, 3))
    return maps, has_map, numbers


def _cosines(inputs: Inputs, attack: str, ids: Sequence[str]) -> NDArray[np.float64]:
    found: dict[str, float] = {}
    for result in inputs.select("correlation", attack=attack):
        path = result.folder / "per_sample.csv"
        try:
            with path.open(encoding="utf-8", newline="") as handle:
                for row in csv.DictReader(handle):
                    found.setdefault(row["sample"], float(row["value"] or "nan"))
        except (OSError, KeyError, ValueError) as error:
            raise StoreError(f"{path}: cannot be read ({error}); delete its folder and run its target") from error
    return np.array([found.get(name, np.nan) for name in ids], dtype=np.float64)

"""Pair the maps of two stores, pool and flatten them, and write the matrices."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from freqmaps.core import components
from freqmaps.job import Job, main
from freqmaps.matrices import MatrixSettings, concatenate, matrix_dataset, pooled
from freqmaps.stores import MAPS, MATRICES, read_blocks, write


def run(job: Job) -> dict[str, object]:
    """Give each map its partner and pool both; count the samples that only one of the two sets has."""
    settings, pairing = MatrixSettings(**job.parameters["settings"]), job.parameters["pairing"]
    pair = components.load("pairing", pairing["kind"])(**pairing["parameters"])
    reads_entries = "BASES" in components.find("pairing", pairing["kind"]).constants
    generator = np.random.default_rng(job.seed)
    first = _rows(job.inputs["first"], settings, lambda maps: maps)
    second = _rows(job.inputs["second"], settings, lambda maps: pair(first, maps, generator) if reads_entries else maps)
    if not reads_entries:
        second = pair(first, second, generator)
    matrices = matrix_dataset(first, second, settings)
    write(job.folder / "store.zarr.zip", matrices.assign_attrs(job.attributes(), pairing=pairing["kind"]), MATRICES)
    return {
        "n": matrices.sizes["sample"],
        "only_first": matrices.attrs["only_first"],
        "only_second": matrices.attrs["only_second"],
    }


def _rows(folders: Sequence[Path], settings: MatrixSettings, change: Callable[[xr.Dataset], xr.Dataset]) -> xr.Dataset:
    """Pool the maps of all shards part by part: large ones would not fit into memory together."""
    parts = (part for folder in folders for part in read_blocks(folder / "store.zarr.zip", MAPS))
    return concatenate([pooled(change(part), settings) for part in parts])


if __name__ == "__main__":
    main(run)

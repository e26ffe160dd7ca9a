"""Pair the maps of two stores, pool and flatten them, and write the matrices."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from freqmaps.core import components
from freqmaps.job import Job, main
from freqmaps.matrices import MatrixSettings, concatenate, matrix_dataset, pooled
from freqmaps.stores import MAPS, MATRICES, read_blocks, write
from freqmaps.stores.selection import select


def run(job: Job) -> dict[str, object]:
    """Give each map its partner and pool both; count the samples that only one of the two sets has."""
    settings, pairing = components.make_settings(MatrixSettings, job.parameters["settings"]), job.parameters["pairing"]
    pair = components.load("pairing", pairing["kind"])(**pairing["parameters"])
    reads_entries = "BASES" in components.find("pairing", pairing["kind"]).constants
    generator = np.random.default_rng(job.seed)
    wanted = None
    if "samples" in job.parameters:
        wanted = select(job.input("dataset"), **job.parameters["samples"], unit=False).ids
    first = _rows(job.inputs["first"], settings, wanted, lambda maps: maps)
    second = _rows(
        job.inputs["second"], settings, wanted, lambda maps: pair(first, maps, generator) if reads_entries else maps
    )
    if not reads_entries:
        second = pair(first, second, generator)
    matrices = matrix_dataset(first, second, settings)
    write(job.folder / "store.zarr.zip", matrices.assign_attrs(job.attributes(), pairing=pairing["kind"]), MATRICES)
    return {
        "n": matrices.sizes["sample"],
        "only_first": matrices.attrs["only_first"],
        "only_second": matrices.attrs["only_second"],
    }


def _rows(
    folders: Sequence[Path],
    settings: MatrixSettings,
    wanted: Sequence[str] | None,
    change: Callable[[xr.Dataset], xr.Dataset],
) -> xr.Dataset:
    """Pool all maps, or those of the samples wanted, part by part: large ones do not fit into memory together."""
    parts = (part for folder in folders for part in read_blocks(folder / "store.zarr.zip", MAPS))
    if wanted is not None:
        parts = (part.isel(sample=np.flatnonzero(np.isin(part["sample"].values, wanted))) for part in parts)
    return concatenate([pooled(change(part), settings) for part in parts])


if __name__ == "__main__":
    main(run)

"""Pair the maps of two stores, pool and flatten them, and write the matrices."""

import numpy as np

from freqmaps import components
from freqmaps.job import Job, main
from freqmaps.matrices import MatrixSettings, concatenate, matrix_dataset
from freqmaps.stores import MAPS, MATRICES, read, write


def run(job: Job) -> dict[str, object]:
    """Give each map its partner and pool both; count the samples that only one of the two sets has."""
    first, second = (
        concatenate([read(folder / "store.zarr.zip", MAPS) for folder in job.inputs[role]])
        for role in ("first", "second")
    )
    pairing = job.parameters["pairing"]
    pair = components.load("pairing", pairing["kind"])(**pairing["parameters"])
    second = pair(first, second, np.random.default_rng(job.seed))
    matrices = matrix_dataset(first, second, MatrixSettings(**job.parameters["settings"]))
    write(job.folder / "store.zarr.zip", matrices.assign_attrs(job.attributes(), pairing=pairing["kind"]), MATRICES)
    return {
        "n": matrices.sizes["sample"],
        "only_first": matrices.attrs["only_first"],
        "only_second": matrices.attrs["only_second"],
    }


if __name__ == "__main__":
    main(run)

"""Evaluate a network, and the maps and attacks made for it, by one evaluation; write its rows and arrays."""

import xarray as xr

from freqmaps.core import components
from freqmaps.core.device import pick
from freqmaps.core.files import write_text
from freqmaps.evaluation import Network, checked
from freqmaps.job import Job, main
from freqmaps.models import load_classifier
from freqmaps.provenance.manifest import csv_text
from freqmaps.results.reader import Inputs
from freqmaps.stores import ARRAYS, write
from freqmaps.stores.selection import select


def run(job: Job) -> dict[str, object]:
    """Compute the evaluation; write ``evaluation.csv``, ``samples.csv`` and ``arrays.zarr.zip`` (empty for some)."""
    device = pick(job.options["device"])
    job.options["device_used"] = str(device)
    names = {name: job.spec["names"][name] for name in ("dataset", "model", "training", "seed")}
    samples = select(job.input("dataset"), **job.parameters["samples"])
    network = Network(load_classifier(job.input("checkpoint"), device), device, names, samples)
    inputs = Inputs.from_folders(
        [f for role in job.inputs.values() for f in (role if isinstance(role, list) else [role])], within=samples.ids
    )
    evaluation = job.parameters["evaluation"]
    compute = components.load("evaluation", evaluation["kind"])
    found = checked(compute(inputs, network, seed=job.seed, **evaluation["parameters"]), evaluation["kind"])
    write_text(job.folder / "evaluation.csv", csv_text(found.rows))
    write_text(job.folder / "samples.csv", csv_text(found.samples))
    write(job.folder / "arrays.zarr.zip", xr.Dataset() if found.arrays is None else found.arrays, ARRAYS)
    return {"n": len(samples.ids), "rows": len(found.rows)}


if __name__ == "__main__":
    main(run)

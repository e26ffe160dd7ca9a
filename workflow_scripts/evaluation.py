"""Evaluate a network, and the maps and attacks made for it, by one evaluation; write its rows and arrays."""

import torch
import xarray as xr

from freqmaps.core import components
from freqmaps.core.device import full_float32, pick
from freqmaps.core.files import write_text
from freqmaps.evaluation import Network, Networks, checked
from freqmaps.job import Job, main
from freqmaps.models import load_classifier
from freqmaps.provenance import manifest
from freqmaps.provenance.manifest import csv_text
from freqmaps.results.reader import Inputs
from freqmaps.stores import ARRAYS, write
from freqmaps.stores.selection import Samples, select


def evaluated(job: Job, device: torch.device, samples: Samples, *, snapshots: bool) -> Network | Networks:
    """Return the network of the job, or the snapshots of one training by their steps."""
    names = {name: value for name, value in job.spec["names"].items() if name != "evaluation"}
    if not snapshots:
        return Network(load_classifier(job.input("checkpoint"), device), device, names, samples)
    folders = {int(manifest.read(f)["spec"]["names"]["step"]): f for f in job.inputs.get("snapshots", [])}
    return Networks(dict(sorted(folders.items())) or {None: job.input("checkpoint")}, device, names, samples)


def run(job: Job) -> dict[str, object]:
    """Compute the evaluation; write ``evaluation.csv``, ``samples.csv`` and ``arrays.zarr.zip`` (empty for some)."""
    device = pick(job.options["device"])
    job.options["device_used"] = str(device)
    samples = select(job.input("dataset"), **job.parameters["samples"])
    inputs = Inputs.from_folders(
        [f for role in job.inputs.values() for f in (role if isinstance(role, list) else [role])],
        within=samples.ids, step=job.spec["names"].get("step"),
    )  # fmt: skip
    evaluation = job.parameters["evaluation"]
    along = components.find("evaluation", evaluation["kind"]).constants.get("SNAPSHOTS", False)
    compute = components.load("evaluation", evaluation["kind"])
    network = evaluated(job, device, samples, snapshots=along)
    with full_float32():
        found = compute(inputs, network, seed=job.seed, **evaluation["parameters"])
    outcome = checked(found, evaluation["kind"])
    write_text(job.folder / "evaluation.csv", csv_text(outcome.rows))
    write_text(job.folder / "samples.csv", csv_text(outcome.samples))
    write(job.folder / "arrays.zarr.zip", xr.Dataset() if outcome.arrays is None else outcome.arrays, ARRAYS)
    return {"n": len(samples.ids), "rows": len(outcome.rows)}


if __name__ == "__main__":
    main(run)

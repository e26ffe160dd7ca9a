"""Run a simulation, which needs neither dataset nor network, and write its rows."""

import xarray as xr

from freqmaps.core import components
from freqmaps.core.files import write_text
from freqmaps.job import Job, main
from freqmaps.provenance.manifest import csv_text
from freqmaps.simulation import Simulated
from freqmaps.stores import ARRAYS, write


def run(job: Job) -> dict[str, object]:
    """Compute the simulation and write ``simulation.csv``."""
    simulation = job.parameters["simulation"]
    outcome = components.load("simulation", simulation["kind"])(seed=job.seed, **simulation["parameters"])
    rows, arrays = (outcome.rows, outcome.arrays) if isinstance(outcome, Simulated) else (outcome, None)
    write_text(job.folder / "simulation.csv", csv_text(rows))
    write(job.folder / "arrays.zarr.zip", xr.Dataset() if arrays is None else arrays, ARRAYS)
    return {"rows": len(rows)}


if __name__ == "__main__":
    main(run)

"""Run a simulation, which needs neither dataset nor network, and write its rows."""

from freqmaps.core import components
from freqmaps.job import Job, main
from freqmaps.provenance.manifest import csv_text, write_text


def run(job: Job) -> dict[str, object]:
    """Compute the simulation and write ``simulation.csv``."""
    simulation = job.parameters["simulation"]
    rows = components.load("simulation", simulation["kind"])(seed=job.seed, **simulation["parameters"])
    write_text(job.folder / "simulation.csv", csv_text(rows))
    return {"rows": len(rows)}


if __name__ == "__main__":
    main(run)

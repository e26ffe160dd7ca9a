"""Write a dataset store from raw files."""

from freqmaps.datasets import write_store
from freqmaps.job import Job, main


def run(job: Job) -> dict[str, object]:
    """Read the raw files that the spec describes and write the store."""
    parameters = job.parameters["parameters"] | job.options["located"]
    store, identity = job.folder / "store.zarr.zip", job.parameters["identity"]
    return write_store(store, job.parameters["kind"], parameters, job.attributes(), identity)


if __name__ == "__main__":
    main(run)

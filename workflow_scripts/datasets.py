"""Write a dataset store from raw files."""

from freqmaps.datasets import write_store
from freqmaps.job import Job, main


def run(job: Job) -> dict[str, object]:
    """Read the raw files that the spec describes and write the store."""
    given = job.parameters["parameters"] | job.options["located"]
    return write_store(job.folder / "store.zarr.zip", job.parameters["kind"], given, job.attributes())


if __name__ == "__main__":
    main(run)

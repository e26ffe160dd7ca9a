"""Correlate two sets of paired maps by one metric; write a row, and the value of each sample if it has one."""

from freqmaps.core import components
from freqmaps.core.files import write_text
from freqmaps.correlation import to_rows
from freqmaps.job import Job, main
from freqmaps.provenance.manifest import csv_text
from freqmaps.stores import MATRICES, read_arrays


def run(job: Job) -> dict[str, object]:
    """Compute the metric and write its row with the names of its place."""
    names = ["first", "second", "sample"]
    matrices = read_arrays(job.input("matrices") / "store.zarr.zip", MATRICES, names)
    metric = job.parameters["metric"]
    compute = components.load("metric", metric["kind"])
    result = compute(matrices["first"], matrices["second"], seed=job.seed, **metric["parameters"])
    row = to_rows(result)
    place = {
        name: job.spec["names"][name] for name in ("dataset", "model", "training", "seed", "maps", "attack", "pairing")
    }
    write_text(job.folder / "correlation.csv", csv_text([place | {"metric": metric["kind"]} | row]))
    values = [] if result.per_sample is None else zip(matrices["sample"], result.per_sample, strict=True)
    write_text(job.folder / "per_sample.csv", csv_text({"sample": s, "value": float(v)} for s, v in values))
    return row


if __name__ == "__main__":
    main(run)

"""Correlate essential with adversarial maps by one metric; write a row, and the value of each sample if it has one."""

import pandas as pd

from freqmaps import components
from freqmaps.correlation import to_rows
from freqmaps.job import Job, main
from freqmaps.manifest import write_text
from freqmaps.stores import MATRICES, read


def run(job: Job) -> dict[str, object]:
    """Compute the metric and write its row with the names of its place."""
    matrices = read(job.input("matrices") / "store.zarr.zip", MATRICES)
    metric = job.parameters["metric"]
    compute = components.load("metric", metric["kind"])
    x, y = matrices["essential"].values, matrices["adversarial"].values
    result = compute(x, y, seed=job.seed, **metric["parameters"])
    row = to_rows(result)
    names = {name: job.spec["names"][name] for name in ("dataset", "model", "training", "seed", "maps", "attack")}
    write_text(
        job.folder / "correlation.csv", pd.DataFrame([names | {"metric": metric["kind"]} | row]).to_csv(index=False)
    )
    if result.per_sample is not None:
        table = pd.DataFrame({"sample": [str(s) for s in matrices["sample"].values], "value": result.per_sample})
        write_text(job.folder / "per_sample.csv", table.to_csv(index=False))
    return row


if __name__ == "__main__":
    main(run)

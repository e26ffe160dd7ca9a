"""Train a network, or take over the one a user brings; write its checkpoint and history."""

from typing import Any

import xarray as xr

from freqmaps.core.device import pick
from freqmaps.core.files import write_text
from freqmaps.core.logs import Progress
from freqmaps.job import Job, main
from freqmaps.models import Classifier, check_classifier, load_foreign, save_classifier
from freqmaps.provenance.manifest import csv_text
from freqmaps.stores import DATASET, read
from freqmaps.training import SnapshotFiles, Snapshots, build_planned, evaluate, split_arrays, train_planned


def snapshots(job: Job, untrained: Classifier, dataset: xr.Dataset) -> list[Snapshots]:
    """Return the hook that keeps the snapshots which the same job makes, beside their half-finished work."""
    if "steps" not in job.options:
        return []
    files = SnapshotFiles(job.partial_of(job.options["last"]), untrained, job.parameters, dataset, job.seed)
    return [Snapshots(job.options["steps"], files.write, files.has)]


def run(job: Job) -> dict[str, object]:
    """Build the model for the dataset, train it (or load it), and save it with its history."""
    dataset = read(job.input("dataset") / "store.zarr.zip", DATASET)
    device = pick(job.options["device"])
    job.options["device_used"] = str(device)
    classifier = build_planned(job.parameters, dataset, seed=job.seed, located=job.options["located"])
    history: list[dict[str, Any]] = []
    if "checkpoint" in job.options:
        load_foreign(job.options["checkpoint"], classifier)
    else:
        history = train_planned(
            classifier, job.parameters, dataset, seed=job.seed, device=device, state=job.partial,
            progress=Progress("epoch", job.parameters["settings"]["epochs"]), hooks=snapshots(job, classifier, dataset),
        )  # fmt: skip
    (_, labels), (test_images, test_labels) = split_arrays(dataset)
    check_classifier(classifier, test_images[:16], where=f"model {job.parameters['model']['architecture']}")
    loss, accuracy = evaluate(classifier, test_images, test_labels, device=device)
    headline = {"test_accuracy": accuracy, "test_loss": loss, "n_train": len(labels), "n_test": len(test_labels)}
    save_classifier(job.folder, classifier, {"headline": headline, **job.attributes()})
    write_text(job.folder / "history.csv", csv_text(history))
    return headline


if __name__ == "__main__":
    main(run)

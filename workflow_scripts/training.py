"""Train a network, or take over the one a user brings; write its checkpoint and history."""

from collections.abc import Mapping, Sequence
from typing import Any

from freqmaps.core import components
from freqmaps.core.device import pick
from freqmaps.core.files import write_text
from freqmaps.job import Job, Progress, main
from freqmaps.models import build_for_dataset, check_classifier, load_foreign, save_classifier
from freqmaps.provenance.manifest import csv_text
from freqmaps.stores import DATASET, read
from freqmaps.training import Regulariser, TrainingSettings, evaluate, split_arrays, train


def regularisers(specs: Sequence[Mapping[str, Any]]) -> dict[str, Regulariser]:
    """Return the regularisers by the names that the history calls them; a second one of a kind gets a number."""
    found: dict[str, Regulariser] = {}
    for spec in specs:
        kind = spec["kind"]
        name = kind.rpartition(":")[2]
        same = sum(taken == name or taken.startswith(f"{name}-") for taken in found)
        built = components.load("regulariser", kind)(**spec["parameters"])
        found[f"{name}-{same + 1}" if same else name] = built
    return found


def run(job: Job) -> dict[str, object]:
    """Build the model for the dataset, train it (or load it), and save it with its history."""
    dataset = read(job.input("dataset") / "store.zarr.zip", DATASET)
    device = pick(job.options["device"])
    job.options["device_used"] = str(device)
    given = job.parameters["model"]
    located = job.options["located"]
    parameters = given["parameters"] | located
    attributes = dataset.attrs | {"size": dataset.sizes["y"]}
    classifier = build_for_dataset(given["architecture"], parameters, attributes, given["normalise"], seed=job.seed)
    (images, labels), (test_images, test_labels) = split_arrays(dataset)
    history: list[dict[str, object]] = []
    where = f"model {given['architecture']}"
    if "checkpoint" in job.options:
        load_foreign(job.options["checkpoint"], classifier)
    else:
        check_classifier(classifier, images[:4], where=where, untrained=True)  # now, not after hours of training
        settings = components.make_settings(TrainingSettings, job.parameters["settings"])
        regime = job.parameters["regime"]
        history = train(
            classifier, images, labels, test_images, test_labels,
            settings=settings,
            regime=components.load("regime", regime["kind"])(**regime["parameters"]),
            regularisers=regularisers(job.parameters.get("regularisers", [])),
            seed=job.seed,
            device=device,
            state=job.partial,
            progress=Progress("epoch", settings.epochs),
        )  # fmt: skip
    check_classifier(classifier, test_images[:16], where=where)
    loss, accuracy = evaluate(classifier, test_images, test_labels, device=device)
    headline = {"test_accuracy": accuracy, "test_loss": loss, "n_train": len(labels), "n_test": len(test_labels)}
    save_classifier(job.folder, classifier, {"headline": headline, **job.attributes()})
    write_text(job.folder / "history.csv", csv_text(history))
    return headline


if __name__ == "__main__":
    main(run)

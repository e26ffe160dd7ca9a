"""Optimise the frequency maps of groups of samples and write the group map store."""

import numpy as np

from freqmaps.core import components
from freqmaps.core.device import pick
from freqmaps.core.logs import Progress
from freqmaps.group_maps import (
    GroupMapSettings,
    Pictures,
    compute_group_maps,
    headline,
    select_clean,
    select_successful,
    to_dataset,
)
from freqmaps.job import Job, main
from freqmaps.models import Classifier, load_classifier, predict
from freqmaps.stores import GROUP_MAPS, write
from freqmaps.stores.selection import Samples, attacked, select


def run(job: Job) -> dict[str, object]:
    """Make one map per group of the range's samples; for adversarial ones, with what the attack made of them too."""
    device = pick(job.options["device"])
    job.options["device_used"] = str(device)
    classifier = load_classifier(job.input("checkpoint"), device)
    settings = components.make_settings(GroupMapSettings, job.parameters["settings"])
    objective, basis = job.parameters["objective"], job.parameters.get("basis", {"kind": "fourier", "parameters": {}})
    samples = select(job.input("dataset"), **job.parameters["samples"], unit=False)
    result = compute_group_maps(
        classifier,
        _clean(samples, classifier, settings, str(device)),
        objective["kind"],
        objective["parameters"],
        settings,
        basis_name=basis["kind"],
        basis_params=basis["parameters"],
        adversarial=_misled(job, samples, settings) if job.parameters["images"] == "adversarial" else None,
        seed=job.seed,
        device=device,
        batch=job.options.get("batch"),
        compile=job.options.get("compile", "auto"),
        state=job.partial,
        progress=Progress("group maps, epoch", settings.epochs),
    )
    attributes = {"images": job.parameters["images"], "objective": objective["kind"]}
    attributes |= {"parameters": job.parameters["settings"]}
    attributes |= {"basis": basis["kind"], "basis_parameters": basis["parameters"]}
    write(job.folder / "store.zarr.zip", to_dataset(result, attributes | job.attributes()), GROUP_MAPS)
    return headline(result)


def _clean(samples: Samples, classifier: Classifier, settings: GroupMapSettings, device: str) -> Pictures:
    """Return the range's own images, each in the group of its class."""
    predictions = predict(classifier, samples.images, device=device) if settings.only_correct else None
    rows = select_clean(samples.labels, predictions, only_correct=settings.only_correct)
    return Pictures(samples.images[rows], samples.labels[rows], samples.labels[rows])


def _misled(job: Job, samples: Samples, settings: GroupMapSettings) -> Pictures:
    """Return the range's successful adversarial images, each in the group of the class that the network predicts."""
    wanted, shards = np.array(samples.ids), []
    for folder in job.inputs["adversarial"]:
        store = attacked(folder)
        rows = select_successful(
            store.samples.labels, store.predictions, store.success, only_correct=settings.only_correct
        )
        rows = rows[np.isin(np.array(store.samples.ids)[rows], wanted)]
        part = store.samples
        shards.append((part.images[rows], part.labels[rows], store.adversarial_predictions[rows]))
    images, labels, predictions = (np.concatenate(column) for column in zip(*shards, strict=True))
    return Pictures(images, labels, predictions)


if __name__ == "__main__":
    main(run)

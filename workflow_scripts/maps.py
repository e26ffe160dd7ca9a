"""Optimise the frequency maps of one range of samples and write the map store."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from freqmaps.core import components
from freqmaps.core.device import pick
from freqmaps.core.errors import StoreError
from freqmaps.core.logs import Progress
from freqmaps.job import Job, main
from freqmaps.maps import MapSettings, compute_maps, mean_size, select_adversarial, select_essential, to_dataset
from freqmaps.maps.selection import shuffle_perturbation
from freqmaps.models import Classifier, load_classifier, predict
from freqmaps.stores import MAPS, write
from freqmaps.stores.selection import Samples, attacked, select


def run(job: Job) -> dict[str, object]:
    """Map the range's eligible samples: correctly classified, and for all but essential maps successfully attacked."""
    device = pick(job.options["device"])
    job.options["device_used"] = str(device)
    classifier = load_classifier(job.input("checkpoint"), device)
    samples, targets = _eligible(job, classifier, device)
    objective, basis = job.parameters["objective"], job.parameters["basis"]
    result = compute_maps(
        classifier,
        samples.images,
        targets,
        objective["kind"],
        objective["parameters"],
        components.make_settings(MapSettings, job.parameters["settings"]),
        basis_name=basis["kind"],
        basis_params=basis["parameters"],
        device=device,
        batch=job.options.get("batch"),
        compile=job.options.get("compile", "auto"),
        state=job.partial,
        progress=Progress("maps", len(targets)),
    )
    settings = job.parameters["settings"]
    attributes = {"images": job.parameters["images"], "objective": objective["kind"], "parameters": settings}
    attributes |= {"basis": basis["kind"], "basis_parameters": basis["parameters"]}
    store = to_dataset(result, samples.ids, samples.labels, targets, attributes | job.attributes())
    write(job.folder / "store.zarr.zip", store, MAPS)
    return {
        "n": len(targets),
        "n_converged": int(result.converged.sum()),
        "n_keeps_prediction": int(result.keeps_prediction.sum()),
        "median_steps": float(store["steps"].median()) if len(targets) else None,
        "mean_of_map": mean_size(store) if len(targets) else None,
    }


def _eligible(job: Job, classifier: Classifier, device: torch.device) -> tuple[Samples, NDArray[np.int64]]:
    """Return the images to map and the classes that the maps are to keep."""
    kind, samples = job.parameters["images"], select(job.input("dataset"), **job.parameters["samples"])
    if kind == "essential":
        rows = select_essential(samples.labels, predict(classifier, samples.images, device=device))
        return samples.at(rows), samples.labels[rows]
    attack = attacked(job.input("adversarial"))
    rows = select_adversarial(attack.samples.labels, attack.predictions, attack.success)
    if attack.samples.ids[: len(samples.ids)] != samples.ids:
        raise StoreError(f"{job.input('adversarial')}: holds other samples than those to map; run its target again")
    rows = rows[rows < len(samples.ids)]  # an attack may reach further than the maps
    images, labels = attack.samples.at(rows), attack.samples.labels[rows]
    if kind == "adversarial":
        return images, attack.adversarial_predictions[rows]
    if kind == "noise":
        shuffled = shuffle_perturbation(samples.images[rows], images.images, np.random.default_rng(job.seed))
        images = replace(images, images=shuffled)
    # Seen by another network, or with noise in place of the perturbation: the true class, where the network finds it.
    right = select_essential(labels, predict(classifier, images.images, device=device))
    return images.at(right), labels[right]


if __name__ == "__main__":
    main(run)

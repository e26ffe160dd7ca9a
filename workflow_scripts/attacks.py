"""Attack one range of samples and write the adversarial store."""

from freqmaps.attacks import attack_images, to_dataset
from freqmaps.core import components
from freqmaps.core.device import pick
from freqmaps.core.logs import Progress
from freqmaps.job import Job, main
from freqmaps.models import load_classifier
from freqmaps.stores import ADVERSARIAL, write
from freqmaps.stores.selection import select


def run(job: Job) -> dict[str, object]:
    """Attack the range's images with the checkpoint's network; failures stay in the store, flagged."""
    device = pick(job.options["device"])
    job.options["device_used"] = str(device)
    attack = job.parameters["attack"]
    samples = select(job.input("dataset"), **job.parameters["samples"])
    result = attack_images(
        load_classifier(job.input("checkpoint"), device),
        samples.images,
        samples.labels,
        components.load("attack", attack["kind"])(**attack["parameters"]),
        seed=job.seed,
        positions=samples.positions,
        device=device,
        batch=job.options.get("batch"),
        state=job.partial,
        progress=Progress("attack", len(samples.labels)),
    )
    store = to_dataset(result, samples.ids, samples.labels, kind=attack["kind"], parameters=attack["parameters"])
    write(job.folder / "store.zarr.zip", store.assign_attrs(job.attributes()), ADVERSARIAL)
    correct = result.prediction == samples.labels
    return {
        "n": len(samples.labels),
        "n_correct": int(correct.sum()),
        "n_success_of_correct": int((result.success & correct).sum()),
        "max_linf": float(result.linf.max(initial=0.0)),
    }


if __name__ == "__main__":
    main(run)

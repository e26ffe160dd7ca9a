"""Write a network as it is after some steps of its training: all snapshots of a training come from one run of it."""

from freqmaps.core.device import pick
from freqmaps.core.errors import FreqmapsError
from freqmaps.core.logs import Progress
from freqmaps.job import Job, main
from freqmaps.models import save_classifier
from freqmaps.stores import DATASET, read
from freqmaps.training import SnapshotFiles, Snapshots, build_planned, train_planned


def run(job: Job) -> dict[str, object]:
    """Train up to the last snapshot that the job has still to make, unless that is done, and save this one.

    Their weights lie beside the half-finished work of the last one, which is made last: a job that was killed goes on
    from there. The training itself, where the same job makes it, has written them. One that is damaged, or was kept
    for other work, is made again.
    """
    step = job.parameters["step"]
    steps = [spec["parameters"]["step"] for spec in job.due]
    device = pick(job.options["device"])
    job.options["device_used"] = str(device)
    dataset = read(job.input("dataset") / "store.zarr.zip", DATASET)
    classifier = build_planned(job.parameters, dataset, seed=job.seed, located=job.options["located"])
    place = job.partial_of(job.options.get("last", "."))
    files = SnapshotFiles(place, classifier, job.parameters, dataset, job.seed)
    weights, trained = files.read(step), 0
    if weights is None:
        trained = max(due for due in steps if not files.has(due))
        train_planned(
            classifier, job.parameters, dataset, seed=job.seed, device=device, state=place,
            hooks=[Snapshots(steps, files.write, files.has)], stop_after=trained,
            progress=Progress("epoch", job.parameters["settings"]["epochs"]),
        )  # fmt: skip
        weights = files.read(step)
    if weights is None:
        raise FreqmapsError(f"{place.folder}: the weights after step {step} were not kept; run the same target again")
    classifier.load_state_dict(weights)
    save_classifier(job.folder, classifier, job.attributes())
    return {"trained_steps": trained}


if __name__ == "__main__":
    main(run)

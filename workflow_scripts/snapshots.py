"""Write a network as it is after some steps of its training: all snapshots of a training come from one run of it."""

from freqmaps.core.device import pick
from freqmaps.core.logs import Progress
from freqmaps.job import Job, main
from freqmaps.models import save_classifier
from freqmaps.stores import DATASET, read
from freqmaps.training import SnapshotFiles, Snapshots, build_planned, train_planned


def run(job: Job) -> dict[str, object]:
    """Train up to the last snapshot that the job has still to make, unless that is done, and save this one.

    Their weights lie beside the half-finished work of the last one, which is made last: a job that was killed goes on
    from there. The training itself, where the same job makes it, has written them.
    """
    step = job.parameters["step"]
    steps = [spec["parameters"]["step"] for spec in job.due]
    device = pick(job.options["device"])
    job.options["device_used"] = str(device)
    dataset = read(job.input("dataset") / "store.zarr.zip", DATASET)
    classifier = build_planned(job.parameters, dataset, seed=job.seed, located=job.options["located"])
    place = job.partial_of(job.options.get("last", "."))
    files = SnapshotFiles(place.folder)
    there = files.path(step).is_file()
    if not there:
        train_planned(
            classifier, job.parameters, dataset, seed=job.seed, device=device, state=place,
            hooks=[Snapshots(steps, files.write)], stop_after=max(steps),
            progress=Progress("epoch", job.parameters["settings"]["epochs"]),
        )  # fmt: skip
    classifier.load_state_dict(files.read(step))
    save_classifier(job.folder, classifier, job.attributes())
    return {"trained_steps": 0 if there else max(steps)}


if __name__ == "__main__":
    main(run)

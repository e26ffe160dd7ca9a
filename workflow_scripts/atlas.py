"""Make the atlas of the current config: one self-contained page to browse images, spectra and maps."""

from pathlib import Path

from freqmaps.atlas import Templates, attacked_set, build_atlas, choose, clean_set, predictions_of, set_columns
from freqmaps.core.device import pick
from freqmaps.core.files import write_text
from freqmaps.job import Job, main
from freqmaps.models import load_classifier
from freqmaps.provenance import manifest
from freqmaps.results.reader import Inputs


def run(job: Job) -> dict[str, object]:
    """Choose samples, ask the network about them, and fill the page; one attack's images in memory at a time."""
    settings = job.parameters
    inputs = Inputs.from_folders(job.all_inputs)
    choice = choose(inputs, len(settings["attacks"]), samples=settings["samples"], megabytes=settings["megabytes"])
    device = pick(job.options["device"])
    job.options["device_used"] = str(device)
    network = load_classifier(inputs.select("training")[0].folder, device)
    clean, classes = clean_set(inputs, choice.ids)
    attacked = {}
    for attack in settings["attacks"]:
        images = attacked_set(inputs, attack, choice.ids)
        attacked[attack] = set_columns(images, predictions_of(network, images, device=device), clean.image)
    page = build_atlas(
        set_columns(clean, predictions_of(network, clean, device=device)), attacked,
        classes=classes, shape=clean.image.shape[1:], choice=choice, names=settings["names"], study=settings["study"],
        origin=manifest.origin(), templates=Templates.read(Path(job.options["templates"])),
    )  # fmt: skip
    write_text(job.folder / "atlas.html", page)
    return {"n": len(choice.ids)}


if __name__ == "__main__":
    main(run)

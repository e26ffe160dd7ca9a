"""Make the atlas of the current config: one self-contained page to browse images, spectra and maps."""

import argparse
import json
from pathlib import Path

from freqmaps.atlas import Templates, answers, attacked_set, build_atlas, choose, clean_set, set_columns
from freqmaps.core.device import pick
from freqmaps.job import entry_point
from freqmaps.models import load_classifier
from freqmaps.provenance import manifest
from freqmaps.results.reader import Inputs


def run(arguments: argparse.Namespace) -> None:
    """Choose samples, ask the network about them, and fill the page; one attack's images in memory at a time."""
    manifest.clear_half_written(arguments.html)
    given = json.loads(arguments.atlas)
    inputs = Inputs.from_folders([arguments.root / path for path in arguments.results])
    for result in inputs.results:
        manifest.check(result.folder)
    choice = choose(inputs, len(given["attacks"]), samples=given["samples"], megabytes=given["megabytes"])
    device = pick(arguments.device)
    network = load_classifier(inputs.select("training")[0].folder, device)
    clean, classes = clean_set(inputs, choice.ids)
    attacked = {}
    for attack in given["attacks"]:
        images = attacked_set(inputs, attack, choice.ids)
        attacked[attack] = set_columns(images, answers(network, images, device=device), clean.image)
    page = build_atlas(
        set_columns(clean, answers(network, clean, device=device)), attacked,
        classes=classes, shape=clean.image.shape[1:], choice=choice, names=given["names"], study=given["study"],
        origin=manifest.origin(), templates=Templates.read(arguments.templates),
    )  # fmt: skip
    manifest.write_text(arguments.html, page)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--atlas", required=True, help="what to show, as JSON")
    parser.add_argument("--device", default="auto", help="where the network answers")
    parser.add_argument("--templates", required=True, type=Path, help="folder of the page's templates")
    parser.add_argument("--html", required=True, type=Path, help="the page to write")
    parser.add_argument("--root", required=True, type=Path, help="the results root")
    parser.add_argument("--results", nargs="+", required=True, help="folders of the results, below the root")
    entry_point(parser, run)

"""Whether a user's checkpoint fits its architecture, asked by a process that has not imported torch.

``python -m freqmaps.models._verify '{"path": ..., "model": {"architecture": ..., "parameters": ...}, "shape": ...}'``
exits with 1 and one sentence on standard error if it does not. With ``rename``, pairs of a regular expression and its
replacement, names are changed first. With ``to``, a checkpoint whose names had to be changed, or which holds its own
normalisation, is written there as a file that jobs load, and ``converted`` is printed.
"""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from pathlib import Path

import torch
from safetensors.torch import save_file

from freqmaps.core import components
from freqmaps.core.asked import NOTE, answer
from freqmaps.core.files import whole
from freqmaps.models._check import check_classifier
from freqmaps.models._checkpoint import without_initial_weights
from freqmaps.models._classifier import Recipe, build_classifier
from freqmaps.models._foreign import load_converted
from freqmaps.models._reading import check_kind

DECIDES_NUMBERS = False


def main(question: str) -> None:
    """Build the architecture, load the checkpoint into it, check its logits for a few images, and convert it.

    Raises
    ------
    FreqmapsError
        It does not fit, or is not usable.
    """
    asked = json.loads(question)
    model, shape = asked["model"], asked["shape"]
    logging.basicConfig(level=logging.INFO, format=f"{NOTE}%(message)s")
    recipe = Recipe(model["architecture"], model["parameters"] | asked.get("located", {}), **shape)
    _check_names(recipe)
    if Path(str(recipe.parameters.get("pretrained"))).is_file():
        check_kind(Path(recipe.parameters["pretrained"]))
    else:  # nothing is downloaded for a question
        recipe = without_initial_weights(recipe)
    classifier = build_classifier(**vars(recipe))
    noise = torch.rand(2, recipe.channels, recipe.size, recipe.size, generator=torch.Generator().manual_seed(0))
    if "path" not in asked:
        check_classifier(classifier, noise, where=recipe.architecture, untrained=True)
        return
    converted = load_converted(asked["path"], classifier, asked.get("rename", ()))
    check_classifier(classifier, noise, where=asked["path"])
    if converted is not None and "to" in asked:
        Path(asked["to"]).parent.mkdir(parents=True, exist_ok=True)
        with whole(Path(asked["to"])) as temporary:
            save_file({name: tensor.contiguous() for name, tensor in converted.items()}, temporary)
        print("converted")


def _check_names(recipe: Recipe) -> None:
    """Call the ``CHECK`` of the architecture, where it has one: it knows more about names than building tells."""
    architecture = components.find("model", recipe.architecture)
    if "CHECK" in architecture.constants:
        with suppress(ImportError):  # building it says what to install
            components.call(architecture.constants["CHECK"], recipe.parameters)


if __name__ == "__main__":
    answer(main)

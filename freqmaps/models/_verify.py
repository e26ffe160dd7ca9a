"""Whether a user's checkpoint fits its architecture, asked by a process that has not imported torch.

``python -m freqmaps.models._verify '{"path": ..., "model": {"architecture": ..., "parameters": ...}, "shape": ...}'``
exits with 1 and one sentence on standard error if it does not.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch

from freqmaps.core import components
from freqmaps.core.asked import answer
from freqmaps.models._check import check_classifier
from freqmaps.models._checkpoint import load_foreign, without_initial_weights
from freqmaps.models._classifier import Recipe, build_classifier

DECIDES_NUMBERS = False


def main(question: str) -> None:
    """Build the architecture, load the checkpoint into it if there is one, and check its logits for a few images.

    Raises
    ------
    FreqmapsError
        It does not fit, or is not usable.
    """
    asked = json.loads(question)
    model, shape = asked["model"], asked["shape"]
    recipe = Recipe(model["architecture"], model["parameters"] | asked.get("located", {}), **shape)
    names = getattr(components.module(components.find("model", recipe.architecture)), "check", None)
    if names is not None:
        names(**recipe.parameters)
    if not Path(str(recipe.parameters.get("pretrained"))).is_file():  # nothing is downloaded for a question
        recipe = without_initial_weights(recipe)
    classifier = build_classifier(**vars(recipe))
    if "path" in asked:
        load_foreign(asked["path"], classifier)
    noise = torch.rand(2, recipe.channels, recipe.size, recipe.size, generator=torch.Generator().manual_seed(0))
    check_classifier(classifier, noise, where=asked.get("path", model["architecture"]), untrained="path" not in asked)


if __name__ == "__main__":
    answer(main)

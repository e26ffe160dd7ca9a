"""Whether a user's checkpoint fits its architecture, asked by a process that has not imported torch.

``python -m freqmaps.models._verify '{"path": ..., "model": {"architecture": ..., "parameters": ...}, "shape": ...}'``
exits with 1 and one sentence on standard error if it does not.
"""

from __future__ import annotations

import json
import sys

import torch

from freqmaps.core.errors import FreqmapsError
from freqmaps.models._check import check_classifier
from freqmaps.models._checkpoint import load_foreign, without_initial_weights
from freqmaps.models._classifier import Recipe, build_classifier

DECIDES_NUMBERS = False


def main(question: str) -> None:
    """Build the architecture, load the checkpoint into it, and check its logits for a few images.

    Raises
    ------
    FreqmapsError
        It does not fit, or is not usable.
    """
    asked = json.loads(question)
    model, shape = asked["model"], asked["shape"]
    recipe = without_initial_weights(Recipe(model["architecture"], model["parameters"], **shape))
    classifier = build_classifier(**vars(recipe))
    load_foreign(asked["path"], classifier, asked.get("rename"))
    noise = torch.rand(2, recipe.channels, recipe.size, recipe.size, generator=torch.Generator().manual_seed(0))
    check_classifier(classifier, noise, where=asked["path"])


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except FreqmapsError as error:
        print(error, file=sys.stderr)
        sys.exit(1)

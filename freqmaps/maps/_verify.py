"""Whether a basis fits a network, asked by a process that has not imported torch.

``python -m freqmaps.maps._verify '{"basis": {"kind": ..., "parameters": ...}, "model": {...}, "shape": {...}}'`` exits
with 1 and one sentence on standard error if it does not.
"""

from __future__ import annotations

import json

import torch

from freqmaps.core import components
from freqmaps.core.asked import answer
from freqmaps.models import Recipe, build_classifier
from freqmaps.models._checkpoint import without_initial_weights

DECIDES_NUMBERS = False


def main(question: str) -> None:
    """Build the architecture with random weights, and bind the basis to it and to a random image.

    Raises
    ------
    FreqmapsError
        It does not fit.
    """
    asked = json.loads(question)
    basis, model = asked["basis"], asked["model"]
    recipe = without_initial_weights(Recipe(model["architecture"], model["parameters"], **asked["shape"]))
    net = build_classifier(**vars(recipe)).eval().requires_grad_(False)
    noise = torch.rand(1, recipe.channels, recipe.size, recipe.size, generator=torch.Generator().manual_seed(0))
    components.load("basis", basis["kind"])(**basis["parameters"]).bind(net, noise)


if __name__ == "__main__":
    answer(main)

"""The normalisation that an architecture's pretrained weights expect, asked by a process that has not imported torch.

``python -m freqmaps.models._pretrained '{"model": {"architecture": ..., "parameters": ...}, "shape": ...}'`` prints
``{"mean": [...], "std": [...]}``, or exits with 1 and one sentence on standard error.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from freqmaps.core.errors import FreqmapsError
from freqmaps.models._checkpoint import without_initial_weights
from freqmaps.models._classifier import Recipe, build_classifier

DECIDES_NUMBERS = False


def normalisation(recipe: Recipe) -> dict[str, list[float]]:
    """Return mean and standard deviation per channel, for images in [0, 1].

    They are those of the network's attribute ``pretrained_cfg``; grey images get the average of its channels.

    Raises
    ------
    FreqmapsError
        The network does not say them.
    """
    net = build_classifier(**vars(without_initial_weights(recipe))).net
    config = getattr(net, "pretrained_cfg", None)
    if not isinstance(config, Mapping) or not {"mean", "std"} <= config.keys():
        raise FreqmapsError(
            f"'pretrained' needs an architecture that says how its weights were trained, as timm_model does and "
            f"{recipe.architecture} does not; use imagenet, or a mapping with mean and std"
        )
    statistics = {name: [float(value) for value in config[name]] for name in ("mean", "std")}
    if recipe.channels == 1:
        statistics = {name: [sum(values) / len(values)] for name, values in statistics.items()}
    if any(len(values) != recipe.channels for values in statistics.values()):
        raise FreqmapsError(f"'pretrained' is known for 1 and 3 channels, not for {recipe.channels}; give mean and std")
    return statistics


if __name__ == "__main__":
    try:
        asked = json.loads(sys.argv[1])
        print(json.dumps(normalisation(Recipe(**asked["model"], **asked["shape"]))))
    except FreqmapsError as error:
        print(error, file=sys.stderr)
        sys.exit(1)

"""Names that torchvision gives networks and weights, checked without building or downloading anything."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from freqmaps.core.errors import ConfigError, nearest

DECIDES_NUMBERS = False


def check_names(architecture: str, parameters: Mapping[str, Any]) -> None:
    """Check the names in the parameters of ``torchvision_model``; nothing of any other architecture.

    Raises
    ------
    ConfigError
        torchvision has no such network, or no such weights of it.
    """
    if architecture != "torchvision_model":
        return
    from torchvision import models

    name, weights = str(parameters["name"]), parameters.get("pretrained")
    known = models.list_models(module=models)
    if name not in known:
        raise ConfigError(f"torchvision_model: no model named '{name}'; {nearest(name, known)}")
    if isinstance(weights, str) and not (Path(weights).suffix or os.sep in weights):
        allowed = ["imagenet", *(str(w.name) for w in models.get_model_weights(name))]
        if weights not in allowed:
            raise ConfigError(f"torchvision_model: {name} has no weights '{weights}'; {nearest(weights, allowed)}")

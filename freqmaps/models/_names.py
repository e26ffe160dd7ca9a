"""Names that libraries give networks and weights, checked without images and without downloading anything."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import torch

from freqmaps.core.errors import ConfigError, nearest

DECIDES_NUMBERS = False


def torchvision_model(*, name: str, pretrained: str | None = None) -> None:
    """Check the names in the parameters of ``torchvision_model``.

    Raises
    ------
    ConfigError
        torchvision has no such network, or no such weights of it.
    """
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise ConfigError(f"torchvision_model: no model named '{name}'; {nearest(name, known)}")
    if pretrained is not None and not (Path(pretrained).suffix or os.sep in pretrained):
        allowed = ["imagenet", *(str(w.name) for w in models.get_model_weights(name))]
        if pretrained not in allowed:
            raise ConfigError(
                f"torchvision_model: {name} has no weights '{pretrained}'; {nearest(pretrained, allowed)}, or the path "
                "of a file"
            )


def timm_model(*, name: str, pretrained: str | None = None, scale: bool = False) -> None:
    """Check the names in the parameters of ``timm_model``.

    Raises
    ------
    ConfigError
        timm has no such network, or no such weights of it; or ``pretrained`` is no path.
    ImportError
        timm is not installed.
    """
    import timm

    bare, _, tag = name.partition(".")
    known = timm.list_models()
    if bare not in known:
        close = difflib.get_close_matches(name, known, n=5, cutoff=0.3) or known[:5]
        raise ConfigError(f"timm_model: no model named '{name}'; the nearest are {', '.join(close)}")
    try:
        timm.get_pretrained_cfg(name)
    except (RuntimeError, ValueError, AttributeError) as error:
        tags = [n.partition(".")[2] for n in timm.list_pretrained(f"{bare}.*")]
        raise ConfigError(f"timm_model: timm knows no weights '{tag}' of {bare}; {nearest(tag, tags)}") from error
    if pretrained is not None and not (Path(pretrained).suffix or os.sep in pretrained):
        raise ConfigError(
            f"timm_model: pretrained is the path of a file, not '{pretrained}'; fetch the file that timm publishes for "
            f"{name} (model.safetensors) and give its path"
        )


def resnet_cifar(*, depth: int = 20, width: int = 16) -> None:
    """Check the depth of ``resnet_cifar`` as its own ``build`` does, without memory for the network.

    Raises
    ------
    FreqmapsError
        The depth is not 6n+2.
    """
    from freqmaps.models.resnet_cifar import build

    with torch.device("meta"):
        build(classes=2, channels=1, size=8, depth=depth, width=width)

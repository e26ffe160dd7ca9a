"""A network with its normalisation inside, so that attacks and maps live in [0, 1]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from freqmaps.core import components
from freqmaps.core.errors import FreqmapsError
from freqmaps.models._layers import last_linear

#: Mean and standard deviation of ImageNet's training images in [0, 1]: RGB, and as gray images.
_IMAGENET = {3: ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), 1: ((0.449,), (0.226,))}


@dataclass(frozen=True)
class Recipe:
    """How to build a network again.

    Attributes
    ----------
    architecture
        A file of ``freqmaps/models/``, or ``module:function``.
    parameters
        Its parameters.
    classes, channels, size
        Of the data.
    """

    architecture: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    classes: int = 10
    channels: int = 3
    size: int = 32


class Classifier(nn.Module):
    """A network for images in [0, 1].

    Parameters
    ----------
    net
        Maps normalised images (n, c, h, w) to raw logits (n, classes).
    recipe
        How ``net`` was built.
    mean, std
        One number per channel; None: no normalisation.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, net: nn.Module, recipe: Recipe, mean: Sequence[float] | None = None, std: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        self.net, self.recipe = net, recipe
        for name, values, neutral in (("mean", mean, 0.0), ("std", std, 1.0)):
            numbers = [neutral] * recipe.channels if values is None else list(values)
            if len(numbers) != recipe.channels:
                raise FreqmapsError(f"normalisation: {len(numbers)} numbers for '{name}' of {recipe.channels} channels")
            self.register_buffer(name, torch.tensor(numbers, dtype=torch.float32).reshape(1, -1, 1, 1))
        if not bool((self.std > 0).all()):
            raise FreqmapsError(f"normalisation: std {list(std or [])} must be positive; set normalise to none")
        self.normalises = mean is not None or std is not None

    def forward(self, images: Tensor) -> Tensor:
        """Return logits.

        Parameters
        ----------
        images
            (n, c, h, w) float32 in [0, 1].

        Returns
        -------
        Tensor
            (n, classes) raw logits.
        """
        logits: Tensor = self.net((images - self.mean) / self.std if self.normalises else images)
        return logits


def build_classifier(
    architecture: str,
    parameters: Mapping[str, Any],
    *,
    classes: int,
    channels: int,
    size: int,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    seed: int = 0,
) -> Classifier:
    """Build a network and put its normalisation inside.

    Parameters
    ----------
    architecture
        A file of ``freqmaps/models/``, or ``module:function`` on the import path.
    parameters
        Its parameters.
    classes, channels, size
        Of the data.
    mean, std
        Normalisation, one number per channel of images in [0, 1]; None: none.
    seed
        Of the initial weights. The global generators are left as they were.

    Raises
    ------
    FreqmapsError
        No such architecture, parameters out of range, or a factory that returns no network.
    """
    factory = components.load("model", architecture)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        net = factory(classes=classes, channels=channels, size=size, **parameters)
    if not isinstance(net, nn.Module):
        raise FreqmapsError(f"model {architecture}: returned {type(net).__name__}, expected a torch.nn.Module")
    return Classifier(net, Recipe(architecture, dict(parameters), classes, channels, size), mean, std)


def build_for_dataset(
    architecture: str, parameters: Mapping[str, Any], attributes: Mapping[str, Any], normalise: Any, *, seed: int
) -> Classifier:
    """Build a network for a dataset store.

    Parameters
    ----------
    architecture, parameters, seed
        As for :func:`build_classifier`.
    attributes
        The store's attributes: ``classes`` (names), ``mean``, ``std`` (per channel) and ``size``.
    normalise
        ``dataset``: by its mean and std; ``imagenet``; ``none``; or a mapping with ``mean`` and ``std``.

    Raises
    ------
    FreqmapsError
        ``size`` is missing, no such normalisation, or as :func:`build_classifier`.
    """
    if "size" not in attributes:
        raise FreqmapsError("build_for_dataset: attribute 'size' is missing; add the side of the dataset's images")
    channels = len(attributes["mean"])
    mean, std = _normalisation(normalise, attributes, channels)
    return build_classifier(
        architecture, parameters,
        classes=len(attributes["classes"]), channels=channels, size=int(attributes["size"]),
        mean=mean, std=std, seed=seed,
    )  # fmt: skip


def _normalisation(
    normalise: Any, attributes: Mapping[str, Any], channels: int
) -> tuple[Sequence[float] | None, Sequence[float] | None]:
    if normalise == "none":
        return None, None
    if normalise == "dataset":
        return attributes["mean"], attributes["std"]
    if normalise == "imagenet" and channels in _IMAGENET:
        return _IMAGENET[channels]
    if isinstance(normalise, Mapping):
        return normalise["mean"], normalise["std"]
    raise FreqmapsError(
        f"normalise: {normalise!r} is not possible with {channels} channels; use dataset, imagenet (1 or 3 channels), "
        "none, or a mapping with mean and std"
    )


def head(classifier: nn.Module) -> nn.Linear:
    """Return the layer that gives the logits: the last linear layer.

    Raises
    ------
    FreqmapsError
        There is none.
    """
    layer = classifier.get_submodule(last_linear(classifier, "head"))
    assert isinstance(layer, nn.Linear)
    return layer

"""A training as a study plans it: the network and its training, built from a spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import xarray as xr

from freqmaps.core import components
from freqmaps.models import Classifier, build_for_dataset, check_classifier
from freqmaps.provenance.unfinished import Place
from freqmaps.training._data import split_arrays
from freqmaps.training._loop import train
from freqmaps.training.hooks import Hook
from freqmaps.training.regularisers._api import Regulariser
from freqmaps.training.settings import TrainingSettings


def build_planned(parameters: Mapping[str, Any], dataset: xr.Dataset, *, seed: int, located: Any) -> Classifier:
    """Return the network of a training's spec with its initial weights; one that is to be trained is checked first.

    Parameters
    ----------
    parameters
        The spec's: ``model``, and ``regime`` where it is to be trained.
    dataset
        The dataset store: its classes, channels and size.
    seed
        Of the training.
    located
        Parameters of the model that say where something lies, by name.

    Raises
    ------
    FreqmapsError
        The network cannot be trained on such images, or could not be attacked: now, not after hours of training.
    """
    model = parameters["model"]
    attributes = dataset.attrs | {"size": dataset.sizes["y"]}
    classifier = build_for_dataset(
        model["architecture"], model["parameters"] | located, attributes, model["normalise"], seed=seed
    )
    if "regime" in parameters:
        (images, _), _ = split_arrays(dataset)
        check_classifier(classifier, images[:4], where=f"model {model['architecture']}", untrained=True)
    return classifier


def train_planned(
    classifier: Classifier,
    parameters: Mapping[str, Any],
    dataset: xr.Dataset,
    *,
    seed: int,
    device: torch.device,
    state: Place,
    hooks: Sequence[Hook] = (),
    stop_after: int | None = None,
    progress: Callable[[int, str], None] | None = None,
) -> list[dict[str, float]]:
    """Train a network in place as a spec says; return its history.

    Parameters
    ----------
    classifier
        From :func:`build_planned`.
    parameters
        The spec's: ``settings``, ``regime``, ``regularisers``.
    dataset
        The dataset store.
    seed, device, state, hooks, stop_after, progress
        As for :func:`freqmaps.training.train`.
    """
    (images, labels), (test_images, test_labels) = split_arrays(dataset)
    regime = parameters["regime"]
    return train(
        classifier, images, labels, test_images, test_labels,
        settings=components.make_settings(TrainingSettings, parameters["settings"]),
        regime=components.load("regime", regime["kind"])(**regime["parameters"]),
        regularisers=_regularisers(parameters.get("regularisers", [])),
        seed=seed, device=device, state=state, hooks=hooks, stop_after=stop_after, progress=progress,
    )  # fmt: skip


def _regularisers(specs: Sequence[Mapping[str, Any]]) -> dict[str, Regulariser]:
    """Return the regularisers by the names that the history calls them; a second one of a kind gets a number."""
    regularisers: dict[str, Regulariser] = {}
    for spec in specs:
        kind = spec["kind"]
        name = kind.rpartition(":")[2]
        same = sum(taken == name or taken.startswith(f"{name}-") for taken in regularisers)
        built = components.load("regulariser", kind)(**spec["parameters"])
        regularisers[f"{name}-{same + 1}" if same else name] = built
    return regularisers

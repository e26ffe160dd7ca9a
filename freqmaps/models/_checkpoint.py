"""Checkpoints: a classifier in a folder, and weights that a user brings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from freqmaps.core.errors import FreqmapsError
from freqmaps.models._classifier import Classifier, Recipe, build_classifier
from freqmaps.models._weights import fit, read_weights, unwrapped
from freqmaps.stores import checkpoint


def save_classifier(folder: Path, classifier: Classifier, description: Mapping[str, Any] | None = None) -> None:
    """Write a classifier as ``model.safetensors`` and ``model.json``.

    Parameters
    ----------
    folder
        Existing folder.
    classifier
        On any device, in any mode; it is left as it is.
    description
        More to tell in ``model.json``: accuracy, history, provenance.
    """
    recipe = without_initial_weights(classifier.recipe)
    normalisation = {
        name: getattr(classifier, name).flatten().tolist() if classifier.normalises else None
        for name in ("mean", "std")
    }
    checkpoint.save(folder, classifier.state_dict(), {**(description or {}), **vars(recipe), **normalisation})


def load_classifier(folder: Path, device: str | torch.device = "cpu") -> Classifier:
    """Return the classifier of a folder, in eval mode, no parameter asking for a gradient.

    Raises
    ------
    StoreError
        Missing or damaged files.
    FreqmapsError
        The architecture's code has changed so that the weights do not fit.
    """
    description, weights = checkpoint.load(folder)
    recipe = Recipe(**{name: description[name] for name in Recipe.__dataclass_fields__})
    classifier = build_classifier(**vars(recipe), mean=description["mean"], std=description["std"])
    fit(classifier, weights, f"{folder} for architecture {recipe.architecture}")
    return classifier.to(device).eval().requires_grad_(False)


def load_foreign(path: Path | str, classifier: Classifier) -> None:
    """Load weights that a user brings, of the bare network or of a whole :class:`Classifier`.

    Parameters
    ----------
    path
        ``.safetensors``, ``.pt`` or ``.pth``; may be nested (``state_dict``, ``model``) and prefixed (``module.``).
    classifier
        Changed in place. Its normalisation stays, unless the file brings its own (``mean``, ``std``).

    Raises
    ------
    FreqmapsError
        Not such a file, or weights of another architecture: names the first tensors that do not fit.
    """
    weights = read_weights(Path(path))
    what = f"{path} for architecture {classifier.recipe.architecture}"
    if any(names.keys() >= classifier.state_dict().keys() for names in unwrapped(weights)):
        fit(classifier, weights, what)
        if not bool((classifier.std > 0).all()):
            raise FreqmapsError(f"{what}: its 'std' is not positive; remove 'mean' and 'std' from the file")
        classifier.normalises = True
    else:
        fit(classifier.net, weights, what)


def without_initial_weights(recipe: Recipe) -> Recipe:
    """Return the recipe without the weights that training started from: they are overwritten by what is loaded."""
    if "pretrained" not in recipe.parameters:
        return recipe
    return replace(recipe, parameters={**recipe.parameters, "pretrained": None})

"""A frozen network on a device: its predictions, and smaller batches when memory runs out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from freqmaps.core.device import full_float32, is_out_of_memory
from freqmaps.core.errors import FreqmapsError
from freqmaps.core.frozen import freeze, is_folded
from freqmaps.models._predict import predict


@contextmanager
def frozen(model: nn.Module, device: torch.device, images: NDArray[np.float32] | None = None) -> Iterator[nn.Module]:
    """Put a model on the device, in eval mode, without gradients for parameters; put modes back afterwards.

    Parameters
    ----------
    model, device
        Any network from images to logits, and where it is to run.
    images
        (n, c, h, w) that it takes: what the block gets is then a copy with batch norm folded away, whose gradients
        differ from the model's by rounding (:func:`freqmaps.core.frozen.freeze`). None, no image, or nothing that
        can be folded: the model itself.
    """
    modes = [(m, m.training) for m in model.modules()]
    wanted = [(p, p.requires_grad) for p in model.parameters()]
    model.to(device).eval().requires_grad_(False)
    try:
        with full_float32():
            yield model if images is None or not len(images) else _folded(model, images[:2], device)
    finally:
        for module, mode in modes:
            module.training = mode
        for parameter, want in wanted:
            parameter.requires_grad_(want)


def _folded(model: nn.Module, images: NDArray[np.float32], device: torch.device) -> nn.Module:
    net = freeze(model, torch.from_numpy(images.copy()).to(device))
    return net if is_folded(net) else model


def classify(model: nn.Module, images: NDArray[np.float32], device: torch.device) -> NDArray[np.int64]:
    """Return the class that a frozen network gives each image, evaluated in padded batches of fixed size.

    Parameters
    ----------
    model
        On ``device``, in eval mode.
    images
        (n, c, h, w) float32 in [0, 1].
    device
        Where to evaluate.

    Returns
    -------
    ndarray
        (n,) int64.

    Raises
    ------
    FreqmapsError
        A logit is NaN or infinite, or memory does not suffice for one image.
    """
    return predict(model, images, device=device)


def count_classes(model: nn.Module, image: NDArray[np.float32], device: torch.device) -> int:
    """Return how many logits a network gives for one image (1, c, h, w).

    Raises
    ------
    FreqmapsError
        The network does not take such an image, or does not return (n, classes).
    """
    try:
        shape = _logits(model, image, device).shape
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise FreqmapsError("memory does not suffice for one image; use a machine or a device with more") from error
        raise FreqmapsError(f"the network does not take images of shape {image.shape[1:]} ({error})") from error
    if len(shape) != 2:
        raise FreqmapsError(f"the network returns shape {shape} for one image, expected (1, classes)")
    return int(shape[1])


def _logits(model: nn.Module, images: NDArray[np.float32], device: torch.device) -> NDArray[np.float32]:
    with torch.no_grad():
        logits = model(torch.from_numpy(images).to(device))
    return np.asarray(logits.float().cpu().numpy())

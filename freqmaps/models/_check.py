"""Checks that a network is what attacks and maps take it for."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from freqmaps.errors import FreqmapsError
from freqmaps.models._classifier import Classifier

DECIDES_NUMBERS = False

#: Two evaluations of one image may differ by this part of the largest logit.
_NOISE = 1e-3


def check_classifier(classifier: Classifier, images: NDArray[Any] | Tensor, *, where: str) -> None:
    """Check a classifier on a few images; its mode is put back.

    Parameters
    ----------
    classifier
        On any device.
    images
        (n, c, h, w), uint8 or float32 in [0, 1], n at least 1.
    where
        What messages call it.

    Raises
    ------
    FreqmapsError
        The answers are not (n, classes), not finite, probabilities instead of logits, different when asked again or
        in another batch; or the gradient with respect to the images is zero or not finite.
    """
    batch = torch.as_tensor(images).to(classifier.mean.device)
    batch = batch / 255 if batch.dtype == torch.uint8 else batch.float()
    training = classifier.training
    classifier.eval()
    try:
        with torch.enable_grad():
            asking = batch.detach().requires_grad_()
            logits = classifier(asking)
            _check_answers(logits, (len(batch), classifier.recipe.classes), where)
            _check_gradient(logits, asking, where)
        with torch.no_grad():
            _check_repeats(classifier, batch, logits.detach(), where)
    finally:
        classifier.train(training)


def _check_answers(logits: Tensor, shape: tuple[int, int], where: str) -> None:
    if not isinstance(logits, Tensor) or tuple(logits.shape) != shape:
        found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise FreqmapsError(f"{where}: the network returns {found}, expected logits of shape {shape}")
    if not bool(logits.isfinite().all()):
        raise FreqmapsError(f"{where}: the network returns NaN or infinity; train it again or load other weights")
    sums = logits.sum(dim=1)
    if shape[1] > 1 and bool((logits >= 0).all()) and torch.allclose(sums, torch.ones_like(sums), atol=1e-4):
        raise FreqmapsError(f"{where}: the network returns probabilities; remove its final softmax to get raw logits")


def _check_gradient(logits: Tensor, images: Tensor, where: str) -> None:
    # The winning logit against the mean: unlike the cross-entropy it does not vanish for a sure network.
    margin = (logits.amax(dim=1) - logits.mean(dim=1)).sum()
    gradient = torch.autograd.grad(margin, images, allow_unused=True)[0] if margin.requires_grad else None
    if gradient is None or not bool(gradient.any()):
        raise FreqmapsError(f"{where}: the logits do not depend on the images (zero gradient); attacks cannot work")
    if not bool(gradient.isfinite().all()):
        raise FreqmapsError(f"{where}: the gradient with respect to the images is NaN or infinite")


def _check_repeats(classifier: Classifier, batch: Tensor, logits: Tensor, where: str) -> None:
    slack = _NOISE * (1 + float(logits.abs().max()))
    if float((classifier(batch) - logits).abs().max()) > slack:
        raise FreqmapsError(f"{where}: the network answers differently when asked again in eval mode (dropout?)")
    if float((classifier(batch[:1]) - logits[:1]).abs().max()) > slack:
        raise FreqmapsError(
            f"{where}: an image's answer depends on the rest of its batch; use batch norm with running statistics"
        )

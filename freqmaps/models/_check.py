"""Checks that a network is a deterministic classifier that returns logits, as attacks and maps require."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from freqmaps.core.device import is_out_of_memory
from freqmaps.core.errors import FreqmapsError, one_sentence
from freqmaps.models._classifier import Classifier

DECIDES_NUMBERS = False

#: Two evaluations of one image may differ by this part of the largest logit.
_NOISE = 1e-3


def check_classifier(
    classifier: Classifier, images: NDArray[Any] | Tensor, *, where: str, untrained: bool = False
) -> None:
    """Check a classifier on a few images; its mode is put back.

    Parameters
    ----------
    classifier
        On any device.
    images
        (n, c, h, w), uint8 or float32 in [0, 1], n at least 1.
    where
        What messages call it.
    untrained
        Before training: a last layer that starts at zero, whose gradient is zero too, is no mistake.

    Raises
    ------
    FreqmapsError
        The network does not take such images or writes into them; stays in training mode, or changes its buffers when
        asked; the logits are not (n, classes), not finite, probabilities instead of logits, different when asked
        again or in another batch; or the gradient with respect to the images is zero or not finite.
    """
    batch = torch.as_tensor(images).to(classifier.mean.device)
    batch = batch / 255 if batch.dtype == torch.uint8 else batch.float()
    modes = [(module, module.training) for module in classifier.modules()]
    classifier.eval()
    try:
        _check_mode(classifier, where)
        _check_precision(classifier, where)
        with torch.no_grad():
            logits = _checked_logits(classifier, batch, where)
            _check_logits(logits, (len(batch), classifier.recipe.classes), where)
            _check_repeats(classifier, batch, logits, where)
        if not untrained:
            with torch.enable_grad():
                asking = batch.detach().clone().requires_grad_()
                _check_gradient(classifier(asking), asking, where)
    finally:
        for module, mode in modes:
            module.training = mode


def _checked_logits(classifier: Classifier, batch: Tensor, where: str) -> Tensor:
    """Ask once, and see that neither the images nor the network have changed."""
    images, before = batch.clone(), {name: buffer.clone() for name, buffer in classifier.named_buffers()}
    try:
        logits: Tensor = classifier(images)
    except Exception as error:  # a network may assert, index or unpack: whatever it raises, it takes no such images
        if is_out_of_memory(error):
            raise
        reason = one_sentence(error, 160)
        raise FreqmapsError(
            f"{where}: the network does not take images {tuple(batch.shape)} ({reason}); choose one for images of this "
            "side and these channels, or give the dataset another 'size'"
        ) from error
    if not torch.equal(images, batch):
        raise FreqmapsError(f"{where}: the network writes into its images; take a copy before an in-place operation")
    moved = [n for n, buffer in classifier.named_buffers() if not torch.equal(buffer, before.get(n, buffer))]
    if moved:
        raise FreqmapsError(
            f"{where}: the network changes '{moved[0]}' when it is asked in eval mode; "
            "let it learn in training mode only"
        )
    return logits


def _check_mode(classifier: Classifier, where: str) -> None:
    moody = (nn.modules.batchnorm._NormBase, nn.modules.dropout._DropoutNd)
    stuck = [n for n, m in classifier.named_modules() if isinstance(m, moody) and m.training]
    if stuck:
        kind = type(classifier.get_submodule(stuck[0])).__name__
        raise FreqmapsError(
            f"{where}: '{stuck[0]}' ({kind}) stays in training mode after eval(); do not override train() or eval()"
        )


def _check_precision(classifier: Classifier, where: str) -> None:
    kinds = {t.dtype for t in classifier.state_dict().values() if t.is_floating_point()} - {torch.float32}
    if kinds:
        dtypes = " and ".join(sorted(str(kind).removeprefix("torch.") for kind in kinds))
        raise FreqmapsError(f"{where}: the network is in {dtypes}; attacks and maps need float32: return net.float()")


def _check_logits(logits: Tensor, shape: tuple[int, int], where: str) -> None:
    if not isinstance(logits, Tensor) or tuple(logits.shape) != shape:
        returned = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise FreqmapsError(f"{where}: the network returns {returned}, expected logits of shape {shape}")
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
        raise FreqmapsError(f"{where}: the network's logits differ from one call to the next in eval mode (dropout?)")
    if float((classifier(batch[:1]) - logits[:1]).abs().max()) > slack:
        raise FreqmapsError(
            f"{where}: an image's logits depend on the rest of its batch; use batch norm with running statistics"
        )

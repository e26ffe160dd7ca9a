"""Loss and accuracy of a network on images without augmentation."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from freqmaps.core.device import in_parts, pick
from freqmaps.training._data import Images


def evaluate(
    classifier: nn.Module,
    images: NDArray[Any] | Tensor | Images,
    labels: NDArray[Any] | Tensor | None = None,
    *,
    batch: int = 256,
    device: str | torch.device = "auto",
) -> tuple[float, float]:
    """Return the mean cross-entropy and the accuracy of a classifier in eval mode; its mode is put back.

    Parameters
    ----------
    classifier
        Moved to the device.
    images
        (n, c, h, w) uint8, or float32 in [0, 1]; or :class:`Images`, which bring their labels and device.
    labels
        (n,) integers.
    batch
        Images per forward pass.
    device
        Where to compute.

    Returns
    -------
    loss, accuracy
        In nats, and in [0, 1]; both NaN without images.
    """
    held = images if isinstance(images, Images) else Images(images, torch.as_tensor(labels), pick(device))
    modes = [(module, module.training) for module in classifier.modules()]
    classifier.to(held.device).eval()
    # Double sums, except on MPS, which has none.
    total = torch.zeros(2, dtype=torch.float32 if held.device.type == "mps" else torch.float64, device=held.device)
    with torch.no_grad():
        for part, target in held.batches(batch):
            logits = in_parts(classifier, part).float()
            total[0] += F.cross_entropy(logits, target, reduction="sum")
            total[1] += (logits.argmax(dim=1) == target).sum()
    for module, mode in modes:
        module.training = mode
    if not len(held):
        return float("nan"), float("nan")
    loss, accuracy = (total / len(held)).tolist()
    return loss, accuracy

"""Logits and predictions of a network for a set of images, computed in padded batches of fixed size."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from freqmaps.core.device import full_float32, in_parts
from freqmaps.core.errors import FreqmapsError

#: Images per forward pass. Batches are padded to it, since kernels are chosen by shape: a sample near the
#: decision boundary must not change sides with the number of samples asked about.
BATCH = 64
#: Images with more pixels than this go through in fewer at once: padding a few large ones to 64 would cost minutes.
SMALL, LARGE_BATCH = 128 * 128, 16


def to_unit(images: Tensor) -> Tensor:
    """Return images as they are, or uint8 ones as float32 in [0, 1]."""
    return images.float() / 255 if images.dtype == torch.uint8 else images


def predict(
    model: nn.Module, images: NDArray[Any] | Tensor, *, device: str | torch.device = "cpu"
) -> NDArray[np.int64]:
    """Return the class that a network gives each image, (n,) int64; parameters and errors as :func:`predict_logits`."""
    return predict_logits(model, images, device=device).argmax(dim=1).numpy()


def predict_logits(model: nn.Module, images: NDArray[Any] | Tensor, *, device: str | torch.device = "cpu") -> Tensor:
    """Return a network's logits.

    Parameters
    ----------
    model
        Moved to ``device`` and evaluated in eval mode; its mode is put back.
    images
        (n, c, h, w) float32 in [0, 1], or uint8.
    device
        Where to compute.

    Returns
    -------
    Tensor
        (n, classes), on the CPU.

    Raises
    ------
    FreqmapsError
        A logit is NaN or infinite, or memory does not suffice for one image.
    """
    tensor = torch.as_tensor(images)
    batch = BATCH if tensor.shape[-2:].numel() <= SMALL else LARGE_BATCH
    training = model.training
    model.to(device).eval()
    all_logits = []
    try:
        with torch.no_grad(), full_float32():
            for start in range(0, max(len(tensor), 1), batch):  # once for no image: it says how many classes there are
                part = to_unit(tensor[start : start + batch])
                padded = torch.cat([part, part.new_zeros(batch - len(part), *part.shape[1:])])
                # Rows after the last image are padding: a network that divides by an image's norm may well give
                # NaN to them.
                logits = in_parts(model, padded.to(device))[: len(part)]
                if not bool(logits.isfinite().all()):
                    raise FreqmapsError("the network's logits are NaN or infinite; train it again or load another")
                all_logits.append(logits.cpu())
    finally:
        model.train(training)
    return torch.cat(all_logits)

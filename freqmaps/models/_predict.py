"""What a network answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.backends.cudnn import flags

from freqmaps.device import in_parts

#: Images per forward pass. Batches are padded to it, since kernels are chosen by shape: a sample near the
#: decision boundary must not change sides with the number of samples asked about.
BATCH = 64


def predict(
    model: nn.Module, images: NDArray[Any] | Tensor, *, device: str | torch.device = "cpu"
) -> NDArray[np.int64]:
    """Return the class that a network gives each image.

    Parameters
    ----------
    model
        Moved to ``device`` and evaluated in eval mode; its mode is put back.
    images
        (n, c, h, w) float32 in [0, 1].
    device
        Where to compute.

    Returns
    -------
    ndarray
        (n,) int64.

    Raises
    ------
    FreqmapsError
        Memory does not suffice for one image.
    """
    tensor = torch.as_tensor(images)
    training = model.training
    model.to(device).eval()
    found = [np.zeros(0, np.int64)]
    try:
        with torch.no_grad(), flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            for start in range(0, len(tensor), BATCH):
                part = tensor[start : start + BATCH]
                padded = torch.cat([part, part.new_zeros(BATCH - len(part), *part.shape[1:])])
                found.append(in_parts(model, padded.to(device)).argmax(dim=1)[: len(part)].cpu().numpy())
    finally:
        model.train(training)
    return np.concatenate(found)

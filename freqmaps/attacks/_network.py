"""A frozen network on a device: its answers, and what happens when memory runs out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from freqmaps.errors import FreqmapsError

#: Images per forward pass when predictions are evaluated. Always padded to full: kernels are chosen by shape,
#: and samples on the decision boundary (minimum-norm attacks end there) must not change side with the batch size.
EVALUATE = 64

_MEMORY = ("out of memory", "can't allocate memory", "alloc_failed")


def find_device(name: str | torch.device) -> torch.device:
    """Return the device of this name; ``auto``: CUDA, else MPS, else the CPU."""
    if isinstance(name, torch.device) or name != "auto":
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that the device or the machine has no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(m in str(error).lower() for m in _MEMORY)


def release_memory(device: torch.device) -> None:
    """Give cached memory back to the device after a failed allocation."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


@contextmanager
def frozen(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Put a model on the device, in eval mode, without gradients for parameters; put modes back afterwards.

    Convolutions run in full float32 (TF32 would move boundary samples with the batch size).
    """
    modes = [(m, m.training) for m in model.modules()]
    wanted = [(p, p.requires_grad) for p in model.parameters()]
    model.to(device).eval().requires_grad_(False)
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        for module, mode in modes:
            module.training = mode
        for parameter, want in wanted:
            parameter.requires_grad_(want)


def predict(model: nn.Module, images: NDArray[np.float32], device: torch.device) -> NDArray[np.int64]:
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
        A logit is NaN, or memory does not suffice for one image.
    """
    out = np.zeros(len(images), np.int64)
    size, start = EVALUATE, 0
    while start < len(images):
        part = images[start : start + size]
        try:
            logits = _logits(model, np.pad(part, [(0, size - len(part)), (0, 0), (0, 0), (0, 0)]), device)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) or size == 1:
                raise
            logits, size = None, size // 2
        if logits is None:
            release_memory(device)
            continue
        if not np.isfinite(logits[: len(part)]).all():
            raise FreqmapsError("the network answers NaN or infinity to finite images; train it again or load another")
        out[start : start + size] = logits[: len(part)].argmax(axis=1)
        start += size
    return out


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
            raise
        raise FreqmapsError(f"the network does not take images of shape {image.shape[1:]} ({error})") from error
    if len(shape) != 2:
        raise FreqmapsError(f"the network returns shape {shape} for one image, expected (1, classes)")
    return int(shape[1])


def _logits(model: nn.Module, images: NDArray[np.float32], device: torch.device) -> NDArray[np.float32]:
    with torch.no_grad():
        logits = model(torch.from_numpy(images).to(device))
    return np.asarray(logits.float().cpu().numpy())

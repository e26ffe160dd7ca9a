"""The device to compute on (CPU, CUDA or MPS), and how to recognise and survive running out of its memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from freqmaps.core.errors import FreqmapsError

DECIDES_NUMBERS = False

_NO_MEMORY = ("out of memory", "can't allocate memory", "alloc_failed")


def pick(device: str | torch.device = "auto") -> torch.device:
    """Return a device by name; ``auto`` is CUDA where there is one, else MPS, else the CPU.

    Raises
    ------
    FreqmapsError
        The name is no device, or this machine has none such.
    """
    if isinstance(device, torch.device):
        return device
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        torch_device = torch.device(device)
    except RuntimeError as error:
        raise FreqmapsError(f"device '{device}': no such device; use auto, cpu, cuda, cuda:0 or mps") from error
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not present.get(torch_device.type, True):
        raise FreqmapsError(f"device '{device}': this machine has none that torch can use; set device to auto or cpu")
    return torch_device


@contextmanager
def full_float32() -> Iterator[None]:
    """Give convolutions on CUDA full float32 and the same kernels in every run, within a block or a function.

    torch lets them round to TF32 (10 bits of mantissa) unless it is told not to: an image near the decision boundary
    would change sides with the batch size and the device.
    """
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        yield


def rng_devices(device: torch.device) -> list[int]:
    """Return the GPUs whose random generators a computation on a device may use, for ``torch.random.fork_rng``.

    A device without a number is the current GPU, which is not always the first.
    """
    if device.type != "cuda":
        return []
    return [torch.cuda.current_device() if device.index is None else device.index]


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception means that a device or the machine has no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error).lower() for text in _NO_MEMORY)


def release(device: torch.device) -> None:
    """Give cached memory back to the device, after a failed allocation."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def in_parts(function: Callable[[Tensor], Tensor], batch: Tensor) -> Tensor:
    """Apply a function to a batch, in halves of it, quarters, ... where memory runs out.

    Parameters
    ----------
    function
        From (n, ...) to (n, ...), each row on its own: a network in eval mode.
    batch
        (n, ...).

    Raises
    ------
    FreqmapsError
        Memory does not suffice for one row.
    """
    size = max(1, len(batch))
    while True:
        try:
            return (
                torch.cat([function(part) for part in torch.split(batch, size)])
                if size < len(batch)
                else function(batch)
            )
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # Here, not above: the error's traceback holds the failed batch's tensors.
        if size == 1:
            raise FreqmapsError("memory does not suffice for one image; use a machine or a device with more")
        release(batch.device)
        size = (size + 1) // 2

"""Where to compute, and what running out of memory there looks like."""

from __future__ import annotations

import torch

from freqmaps.errors import FreqmapsError

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
        found = torch.device(device)
    except RuntimeError as error:
        raise FreqmapsError(f"device '{device}': no such device; use auto, cpu, cuda, cuda:0 or mps") from error
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not present.get(found.type, True):
        raise FreqmapsError(f"device '{device}': this machine has none that torch can use; set device to auto or cpu")
    return found


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an exception means that a device or the machine has no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error).lower() for text in _NO_MEMORY)


def release(device: torch.device) -> None:
    """Give cached memory back to the device, after a failed allocation."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()

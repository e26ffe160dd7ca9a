"""NumPy or torch, whichever an array is of: spectral quantities are defined once, for both. Imports no torch."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freqmaps.core import arrays
from freqmaps.core.errors import FreqmapsError


def is_tensor(values: Any) -> bool:
    """Whether this is a tensor; torch is looked for only where somebody has imported it."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(values, torch.Tensor)


def array_module(values: Any) -> Any:
    """Return ``torch`` for a tensor, else ``numpy``, of which only functions of equal names are used."""
    return sys.modules["torch"] if is_tensor(values) else np


def doubles(values: Any) -> Any:
    """Return float64 of the same kind: a tensor keeps its device and its gradient."""
    return values.double() if is_tensor(values) else np.asarray(values, dtype=np.float64)


def like(constant: NDArray[Any], values: Any) -> Any:
    """Return a constant array as an array or tensor of the same type, and on the same device, as ``values``."""
    return sys.modules["torch"].from_numpy(constant).to(values.device) if is_tensor(values) else constant


def finite(values: Any, what: str) -> Any:
    """Return an array or tensor of floats as it is, any other as float64.

    Raises
    ------
    FreqmapsError
        It holds NaN or infinity.
    """
    if not is_tensor(values):
        return arrays.finite(values, what)
    tensor = values if values.is_floating_point() else values.double()
    if not tensor.isfinite().all():
        raise FreqmapsError(f"{what}: NaN or infinity among the numbers; drop those samples or make them again")
    return tensor

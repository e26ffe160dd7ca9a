"""The state of a training between two epochs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor


@dataclass
class State:
    """What goes on from epoch to epoch.

    Attributes
    ----------
    epoch
        Epochs that are done.
    history
        One record per epoch.
    best
        The score of the best epoch so far, and its weights.
    model, optimizer, scaler
        State dicts.
    records
        What hooks have recorded, by the hook's name.
    """

    epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best: float = float("-inf")
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    scaler: dict[str, Any] = field(default_factory=dict)
    records: dict[str, Any] = field(default_factory=dict)

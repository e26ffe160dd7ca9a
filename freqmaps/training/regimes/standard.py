"""Natural training: the loss of the images as they come."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from freqmaps.training.regimes._api import Loss, Regime

TINY: dict[str, float] = {}


def build() -> Regime:
    """Return the regime."""
    return Standard()


@dataclass(frozen=True)
class Standard:
    """Natural training."""

    def __call__(
        self, model: nn.Module, images: Tensor, labels: Tensor, loss: Loss, generator: torch.Generator
    ) -> Tensor:
        """Return the loss of a batch."""
        return loss(model(images), labels)

"""What a training regime is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn

#: From logits (n, classes) and labels (n,) to their mean loss.
Loss = Callable[[Tensor, Tensor], Tensor]


class Regime(Protocol):
    """From a batch to the loss that training lowers. May change or attack the batch first, on its device.

    The ``repr`` tells its settings: a half-finished training is resumed only by a regime of equal ``repr``.
    """

    def __call__(
        self, model: nn.Module, images: Tensor, labels: Tensor, loss: Loss, generator: torch.Generator
    ) -> Tensor:
        """Return a scalar to call ``backward`` on.

        Parameters
        ----------
        model
            In training mode; maps images in [0, 1] to logits. Its last forward pass on as many images as the batch
            has is what the history's training accuracy counts.
        images
            (n, c, h, w) float32 in [0, 1], augmented, on the model's device.
        labels
            (n,) int64, on the model's device.
        loss
            The loss that the settings name.
        generator
            On the model's device, seeded by the training's seed and the epoch; anything random must be drawn from it.
        """
        ...

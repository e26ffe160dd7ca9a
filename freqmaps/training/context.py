"""The context of a training step, given to regimes, regularisers and hooks: step, epoch, total, generator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

#: From logits (n, classes) and labels (n,) to their mean loss.
Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Batch:
    """The images and labels of one step, on the model's device.

    Attributes
    ----------
    images
        (n, c, h, w) float32 in [0, 1], shifted and mirrored as the settings say, not yet prepared by the regime.
    labels
        (n,) int64.
    """

    images: Tensor
    labels: Tensor


@dataclass(frozen=True, kw_only=True)
class StepContext:
    """Where in the training a step stands, and what it computes with.

    Attributes
    ----------
    step
        Number of the step, from 0, over all epochs.
    epoch
        Number of the epoch, from 0.
    steps
        Steps of the whole training.
    steps_per_epoch
        Steps of one epoch.
    generator
        On the model's device. Anything random is drawn from it.
    loss
        The loss that the settings name, from logits and labels to a mean.
    scaler
        Of the loss, where the training computes in float16; None elsewhere.
    """

    step: int
    epoch: int
    steps: int
    steps_per_epoch: int
    generator: torch.Generator
    loss: Loss
    scaler: torch.amp.GradScaler | None = None

    def input_gradient(self, value: Tensor, images: Tensor, *, create_graph: bool = False) -> Tensor:
        """Return the gradient of a scalar with respect to images, in float32 and free of the scaler's factor.

        Small gradients vanish in float16. So the scalar is scaled before the backward pass, and the gradient is
        divided by the same factor after it, when it is float32 again.

        Parameters
        ----------
        value
            A scalar that was computed from ``images``.
        images
            A float32 tensor that requires a gradient.
        create_graph
            Whether the gradient can be differentiated again, as part of a loss.

        Returns
        -------
        Tensor
            Of the shape of ``images``. The gradients of the weights are left alone.
        """
        scaler = self.scaler if self.scaler is not None and self.scaler.is_enabled() else None
        scaled = value if scaler is None else scaler.scale(value)
        # Backward passes run in the precision of their forward pass; autocast must not choose again.
        with torch.autocast(images.device.type, enabled=False):
            gradient = torch.autograd.grad(scaled, images, create_graph=create_graph)[0].float()
            return gradient if scaler is None else gradient / scaler.get_scale()

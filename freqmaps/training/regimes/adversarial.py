"""Adversarial training: the loss of images that PGD has perturbed against the network as it stands.

Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018, equation 2.1, ℓ∞.

Budget and step are in units of a pixel in [0, 1], one for all channels. A paper's ``e`` in normalised units,
``(x - mean) / std``, is ``e * std`` here: 0.06 at a std of .226 (Karantzas et al.) is 0.01356. If the channels' std
differ, an ``e`` common to them in normalised units is a budget per channel, which this regime does not have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from freqmaps.training.context import Batch, StepContext
from freqmaps.training.regimes._api import Regime

RANGES = {"epsilon": "(0, 1)", "step": "(0, 1)", "steps": "[1, 1000)", "warmup": "[0, 100000)"}
NEUTRAL = {"warmup": 0.0, "warms": "epsilon"}
TINY = {"epsilon": 0.1, "step": 0.05, "steps": 2}


def build(
    *,
    epsilon: float = 0.03137254901960784,
    step: float = 0.00784313725490196,
    steps: int = 10,
    random_start: bool = True,
    attack_in_eval: bool = False,
    clamp: Literal["unit", "batch"] = "unit",
    warmup: float = 0.0,
    warms: Literal["epsilon", "step"] = "epsilon",
) -> Regime:
    """Return the regime.

    Parameters
    ----------
    epsilon
        Largest change of a pixel, for images in [0, 1]; the default is 8/255.
    step
        Change per attack step; the default is 2/255.
    steps
        Attack steps per training step.
    random_start
        Whether the attack starts at a uniformly random point of the budget, or at the image.
    attack_in_eval
        Whether batch norm uses its running statistics while the attack looks for its perturbation. Off: the attack
        sees the network as it is trained, and its batches enter the running statistics, as is usual.
    clamp
        The range that attacked pixels are kept in: [0, 1], or from the smallest to the largest value in the batch's
        images, over all of them and all channels, as Karantzas et al. do.
    warmup
        Epochs in which the attack grows from nothing, step by step of the training; 0: it has its full size at once.
    warms
        What grows: ``epsilon``, and the attack's step in proportion; or its ``step`` alone.
    """
    return Adversarial(epsilon, step, steps, random_start, attack_in_eval, clamp, warmup, warms)


@dataclass(frozen=True)
class Adversarial(Regime):
    """PGD training; the parameters are those of :func:`build`."""

    epsilon: float
    step: float
    steps: int
    random_start: bool
    attack_in_eval: bool
    clamp: Literal["unit", "batch"] = "unit"
    warmup: float = 0.0
    warms: Literal["epsilon", "step"] = "epsilon"

    def prepare(self, model: nn.Module, batch: Batch, context: StepContext) -> Tensor:
        """Return images within ``epsilon`` of the batch's and in range that raise the loss; see the base class."""
        images, labels, generator = batch.images, batch.labels, context.generator
        training = model.training
        if self.attack_in_eval:
            model.eval()
        epsilon, step = self.amounts(context)
        low, high = self._bounds(images, epsilon)
        attacked = images
        if self.random_start:
            noise = torch.rand(images.shape, generator=generator, device=images.device)
            attacked = torch.clamp(images + (noise * 2 - 1) * epsilon, low, high)
        for _ in range(self.steps):
            attacked = attacked.detach().requires_grad_()
            gradient = torch.autograd.grad(context.loss(model(attacked), labels), attacked)[0]
            attacked = torch.clamp(attacked.detach() + step * gradient.sign(), low, high)
        model.train(training)
        return attacked.detach()

    def amounts(self, context: StepContext) -> tuple[float, float]:
        """Return epsilon and the attack's step at a step of the training."""
        grown = min(1.0, (context.step + 1) / (self.warmup * context.steps_per_epoch)) if self.warmup else 1.0
        return self.epsilon * (grown if self.warms == "epsilon" else 1.0), self.step * grown

    def _bounds(self, images: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
        """Return the smallest and the largest value that each pixel may take."""
        if self.clamp == "unit":
            return (images - epsilon).clamp(min=0), (images + epsilon).clamp(max=1)
        least, most = images.aminmax()
        return torch.maximum(images - epsilon, least), torch.minimum(images + epsilon, most)

"""Adversarial training: the loss of images that PGD has perturbed against the network as it stands.

Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018, equation 2.1, ℓ∞.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from freqmaps.training.regimes._api import Loss, Regime

RANGES = {"epsilon": (0.0, 1.0), "step": (0.0, 1.0), "steps": (0, 1000)}
TINY = {"epsilon": 0.1, "step": 0.05, "steps": 2}


def build(
    *,
    epsilon: float = 0.03137254901960784,
    step: float = 0.00784313725490196,
    steps: int = 10,
    random_start: bool = True,
    attack_in_eval: bool = False,
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
    """
    return Adversarial(epsilon, step, steps, random_start, attack_in_eval)


@dataclass(frozen=True)
class Adversarial:
    """PGD training; the parameters are those of :func:`build`."""

    epsilon: float
    step: float
    steps: int
    random_start: bool
    attack_in_eval: bool

    def __call__(
        self, model: nn.Module, images: Tensor, labels: Tensor, loss: Loss, generator: torch.Generator
    ) -> Tensor:
        """Return the loss of the perturbed batch."""
        return loss(model(self.perturb(model, images, labels, loss, generator)), labels)

    def perturb(
        self, model: nn.Module, images: Tensor, labels: Tensor, loss: Loss, generator: torch.Generator
    ) -> Tensor:
        """Return images within ``epsilon`` of the given ones and in [0, 1] that raise the loss; see the protocol."""
        training = model.training
        if self.attack_in_eval:
            model.eval()
        low, high = (images - self.epsilon).clamp(min=0), (images + self.epsilon).clamp(max=1)
        attacked = images
        if self.random_start:
            noise = torch.rand(images.shape, generator=generator, device=images.device)
            attacked = (images + (noise * 2 - 1) * self.epsilon).clamp(0, 1)
        for _ in range(self.steps):
            attacked = attacked.detach().requires_grad_()
            gradient = torch.autograd.grad(loss(model(attacked), labels), attacked)[0]
            attacked = torch.clamp(attacked.detach() + self.step * gradient.sign(), low, high)
        model.train(training)
        return attacked.detach()

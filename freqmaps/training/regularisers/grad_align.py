"""GradAlign: input gradients that keep their direction within the budget of an attack.

Andriushchenko and Flammarion, "Understanding and improving fast adversarial training", NeurIPS 2020, equation 6: one
minus the cosine between the gradient at an image and that at a random point of its ℓ∞ ball.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from freqmaps.training.context import StepContext
from freqmaps.training.regularisers._api import CleanPass, Regulariser, running_statistics_kept
from freqmaps.training.regularisers._second import cheap, of_images_alone

RANGES = {"weight": "(0, 1e9)", "epsilon": "(0, 1)"}
TINY = {"weight": 0.2, "epsilon": 0.1}


def build(*, weight: float, epsilon: float = 0.03137254901960784) -> Regulariser:
    """Return the regulariser.

    Parameters
    ----------
    weight
        Factor of the term in the loss.
    epsilon
        Half the side of the cube around each image in which the second point is drawn, uniformly, for images in [0, 1];
        the default is 8/255. The point may leave [0, 1].
    """
    return GradAlign(weight, epsilon)


@dataclass(frozen=True)
class GradAlign:
    """The term; the parameters are those of :func:`build`."""

    weight: float
    epsilon: float

    def __call__(self, model: nn.Module, clean: CleanPass, context: StepContext) -> Tensor:
        """Return one minus the mean cosine, in [0, 2]; images with a gradient of 0 at either point do not count."""
        # No gradient flows through the one at the image, as in the paper's released code.
        fixed = clean.live_gradient.detach().flatten(1)
        noise = torch.rand(clean.images.shape, generator=context.generator, device=clean.images.device)
        there = (clean.images.detach() + (2 * noise - 1) * self.epsilon).requires_grad_()
        with cheap(), running_statistics_kept(model):
            loss = context.loss(model(there), clean.labels)
        with of_images_alone():
            other = context.input_gradient(loss, there, create_graph=True).flatten(1)
        norms = _norm(fixed) * _norm(other)
        counted = norms.detach() > 0
        cosines = (fixed * other).sum(dim=1) / torch.where(counted, norms, torch.ones_like(norms))
        aligned = torch.where(counted, cosines, torch.zeros_like(cosines)).sum() / counted.sum().clamp(min=1)
        return 1 - aligned


def _norm(gradient: Tensor) -> Tensor:
    """Return the norm of each row, with a derivative of 0 where it is 0."""
    squared = gradient.square().sum(dim=1)
    there = squared > 0
    return torch.where(there, torch.where(there, squared, torch.ones_like(squared)).sqrt(), torch.zeros_like(squared))

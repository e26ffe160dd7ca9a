"""The norm of the Jacobian of the logits, by random projections.

Hoffman, Roberts and Yaida, "Robust learning with Jacobian regularization", 2019, equations 3 and 9: half the squared
Frobenius norm of the derivatives of all logits in all pixels, from a few random combinations of the logits.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from freqmaps.training.context import StepContext
from freqmaps.training.regularisers._api import CleanPass, Regulariser
from freqmaps.training.regularisers._second import of_images_alone

RANGES = {"weight": "(0, 1e9)", "projections": "[1, 100000]"}
TINY = {"weight": 0.01}


def build(*, weight: float, projections: int | None = 1) -> Regulariser:
    """Return the regulariser.

    Parameters
    ----------
    weight
        λ_JR, the factor of the term in the loss.
    projections
        How many random directions among the logits are drawn for each image, each of which costs a backward pass. None:
        each logit by itself, which gives the norm without an error.
    """
    return JacobianNorm(weight, projections)


@dataclass(frozen=True)
class JacobianNorm:
    """The term; the parameters are those of :func:`build`."""

    weight: float
    projections: int | None = 1

    def __call__(self, model: nn.Module, clean: CleanPass, context: StepContext) -> Tensor:
        """Return the mean over images of half the squared norm, or of its unbiased estimate."""
        images, classes = len(clean.images), clean.logits.shape[1]
        count = classes if self.projections is None else self.projections
        total = clean.logits.new_zeros((), dtype=torch.float32)
        for number in range(count):
            chosen = (clean.logits.float() * self._direction(number, clean.logits, context)).sum(dim=1)
            # The mean is what is differentiated, and its factor taken out afterwards: a sum would overflow in float16.
            with of_images_alone():
                gradient = images * context.input_gradient(chosen.mean(), clean.images, create_graph=True)
            total = total + gradient.square().sum() / images
        # A direction's expected share of the squared norm is one of as many as there are classes.
        return total * classes / count / 2

    def _direction(self, number: int, logits: Tensor, context: StepContext) -> Tensor:
        """Return unit vectors (n, classes) among the logits, uniform on the sphere, or those of one logit."""
        if self.projections is None:
            return torch.nn.functional.one_hot(
                torch.full((len(logits),), number, device=logits.device), logits.shape[1]
            ).float()
        drawn = torch.randn(logits.shape, generator=context.generator, device=logits.device)
        return torch.nn.functional.normalize(drawn, dim=1)

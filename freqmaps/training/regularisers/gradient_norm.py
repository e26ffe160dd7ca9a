"""The input-gradient penalty: how steeply the loss changes with the pixels of clean images.

Drucker & LeCun, "Improving generalization performance using double backpropagation", IEEE Transactions on Neural
Networks 1992; Ross & Doshi-Velez, "Improving the adversarial robustness and interpretability of deep neural networks by
regularizing their input gradients", AAAI 2018, equation 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from freqmaps.training.context import StepContext
from freqmaps.training.regularisers._api import CleanPass, Regulariser

RANGES = {"weight": "(0, 1e9)"}
TINY = {"weight": 0.1}

#: Below it a norm counts as zero, where its own derivative does not exist.
_SMALL = 1e-12


def build(*, weight: float, norm: Literal["l2_squared", "l2", "l1"] = "l2_squared") -> Regulariser:
    """Return the regulariser.

    Parameters
    ----------
    weight
        Factor of the penalty in the loss.
    norm
        Of the gradient of each image, over all pixels and channels; the penalty is its mean over the batch.
        ``l2_squared`` is that of both papers.
    """
    return GradientNorm(weight, norm)


@dataclass(frozen=True)
class GradientNorm:
    """The penalty; the parameters are those of :func:`build`."""

    weight: float
    norm: Literal["l2_squared", "l2", "l1"] = "l2_squared"

    def __call__(self, model: nn.Module, clean: CleanPass, context: StepContext) -> Tensor:
        """Return the mean norm of the input gradients."""
        gradient = clean.gradient.flatten(1)
        if self.norm == "l1":
            return gradient.abs().sum(dim=1).mean()
        squared = gradient.square().sum(dim=1)
        return squared.mean() if self.norm == "l2_squared" else squared.clamp(min=_SMALL**2).sqrt().mean()

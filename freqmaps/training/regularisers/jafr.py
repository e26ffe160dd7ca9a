"""JaFR, Jacobian frequency regularisation: input gradients pushed to low or to high frequencies.

Chan, Ong and Tan, "How does frequency bias affect the robustness of neural image classifiers against common corruption
and adversarial perturbations?", IJCAI 2022, section 3.2: the term is L_freq = -log B_low (equation 11) of the gradients
of the loss in the pixels of the clean images, whatever the regime trains on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from freqmaps.spectra.low_bias import image_low_bias
from freqmaps.training.context import StepContext
from freqmaps.training.regularisers._api import CleanPass, Regulariser

RANGES = {
    "weight": "(-1e9, 1e9)", "magnitude_epsilon": "[0, 1000)", "exponent_epsilon": "[0, 1)",
}  # fmt: skip
TINY = {"weight": 0.01}


def build(
    *,
    weight: float,
    batch: Literal["mean", "each"] = "mean",
    quadrant: Literal["first", "second", "mean"] = "first",
    magnitude_epsilon: float = 1e-5,
    exponent_epsilon: float = 1e-5,
) -> Regulariser:
    """Return the regulariser.

    Parameters
    ----------
    weight
        λ_freq, the factor of the term in the loss. Negative: JaFR(-), towards high frequencies.
    batch
        ``mean``: magnitudes are averaged over the batch first, then there is one B_low, as in the paper's released
        code. ``each``: the mean of -log B_low of each image, as the text has it.
    quadrant
        Which frequencies: ``first`` those of (ky, kx), as the code has them; ``second`` those of (ky, -kx); ``mean``
        the mean magnitude of the two.
    magnitude_epsilon, exponent_epsilon
        What is added to magnitudes and to exponents, 1e-5 in the code. Gradients are those of each image's own loss,
        not of the mean: ASSUME: the epsilon belongs to that scale.
    """
    return Jafr(weight, batch, quadrant, magnitude_epsilon, exponent_epsilon)


@dataclass(frozen=True)
class Jafr:
    """The term; the parameters are those of :func:`build`."""

    weight: float
    batch: Literal["mean", "each"] = "mean"
    quadrant: Literal["first", "second", "mean"] = "first"
    magnitude_epsilon: float = 1e-5
    exponent_epsilon: float = 1e-5

    def __call__(self, model: nn.Module, clean: CleanPass, context: StepContext) -> Tensor:
        """Return -log B_low of the input gradients, float32."""
        bias: Tensor = image_low_bias(
            clean.live_gradient, batch=self.batch, quadrant=self.quadrant,
            magnitude_epsilon=self.magnitude_epsilon, exponent_epsilon=self.exponent_epsilon,
        )  # fmt: skip
        return -bias.mean().float()

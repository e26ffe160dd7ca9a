"""Amplitudes of the transform of the image as the network sees it, after its normalisation (Karantzas et al.).

The network normalises each channel, z = (x − μ) / σ, and the map filters z. In terms of x, which the rest of the
workflow has, that is

    x_F = μ + Re F⁻¹(M ⊙ F (x − μ)),

for σ is one number per channel and leaves the filter alone. It differs from ``fourier`` at frequency zero only: there a
removed entry means a channel whose mean is μ, the mean of the data, instead of 0, which is black. The released code of
Karantzas et al. filters images that its data loader has normalised. Without a normalisation μ is 0, and both are one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from freqmaps.optimise.bases._api import Coefficients, Plan
from freqmaps.optimise.bases.fourier import FourierPlan

TINY: dict[str, object] = {}


class NormalisedPlan(FourierPlan):
    """Half planes of the spectra of images less the mean that the network subtracts, (1, channels, 1, 1)."""

    def __init__(self, planes: Tensor, mean: Tensor) -> None:
        super().__init__(planes)
        self.mean = mean.to(planes.device, planes.dtype)

    def coefficients(self, images: Tensor) -> Coefficients:
        """Return F (x − μ), (b, c, h, w // 2 + 1) complex."""
        return super().coefficients(images - self.mean)

    def synthesise(self, coefficients: Coefficients, m: Tensor) -> Tensor:
        """Return μ + Re F⁻¹(M ⊙ F (x − μ))."""
        return super().synthesise(coefficients, m) + self.mean


class Normalised:
    """The basis; what it needs of the network is the mean that this subtracts."""

    folds = True

    def bind(self, net: nn.Module, images: Tensor) -> Plan:
        """Return the plan for images like these; a network that normalises nothing has a mean of 0."""
        mean = net.get_buffer("mean") if getattr(net, "normalises", False) else torch.zeros(1, images.shape[1], 1, 1)
        return NormalisedPlan(images, mean)


def build() -> Normalised:
    """Return the basis: a real factor per frequency and channel, of the image after the network's normalisation."""
    return Normalised()

"""Amplitudes of the discrete Fourier transform: x_F = Re F⁻¹(M ⊙ F x), M in [0, 1] (Basile et al., eq. 1)."""

from __future__ import annotations

import torch
from torch import Tensor

from freqmaps.optimise.bases._api import Coefficients, OfImages, Plan
from freqmaps.optimise.layouts import FrequencyPlane
from freqmaps.spectra.half_planes import filtered, mirrored_, towards_map
from freqmaps.spectra.planes import multiplicity

TINY: dict[str, object] = {}


class FourierPlan(Plan):
    """Half planes of the spectra of real planes (b, channels, height, width)."""

    def __init__(self, planes: Tensor) -> None:
        _, channels, height, self.width = planes.shape
        weight = torch.from_numpy(multiplicity(height, self.width)).to(planes.device, planes.dtype)
        super().__init__(FrequencyPlane(channels, height, self.width), weight, planes[0].numel())

    def coefficients(self, images: Tensor) -> Coefficients:
        """Return F x, (b, c, h, w // 2 + 1) complex."""
        return (torch.fft.rfft2(images),)

    def synthesise(self, coefficients: Coefficients, m: Tensor) -> Tensor:
        """Return Re F⁻¹(M ⊙ F x)."""
        return filtered(coefficients[0], m, self.width)

    def pull_back(self, towards: Tensor, coefficients: Coefficients, m: Tensor) -> Tensor:
        """Return Re(conj(F x) ⊙ F(dL/dx_F)) / (h w)."""
        return towards_map(towards, coefficients[0], self.width)

    def symmetrise_(self, gradient: Tensor) -> Tensor:
        """Make the columns that hold both ky and −ky symmetric."""
        return mirrored_(gradient, self.width)


def build() -> OfImages:
    """Return the basis: a real factor for the amplitude of each frequency and channel, phases left alone."""
    return OfImages(FourierPlan)

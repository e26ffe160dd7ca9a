"""Phases of the discrete Fourier transform: x_F = Re F⁻¹(|F x| ⊙ exp(i M ∠F x)), M in [0, 1].

Which phases does the classifier need? Amplitudes are left alone; where M is 1 the frequency keeps its phase, where M is
0 it loses it. So the map starts at 1, the penalty makes it sparse, and all that is said of amplitude maps (what 0 and 1
mean, what matrices and metrics read) holds for it. A free angle with a penalty on its size would say nothing: its
cheapest value, no turn, is also where it starts.

The filtered image is not linear in M. ASSUME: a phase that is lost is 0, that of a wave with its crest on the first
pixel; so an image without phases is bright in that corner. Where F x is its own mirror image (kx and ky 0 or half the
size) its phase is 0 or π, and only the real part of what is between counts.
"""

from __future__ import annotations

import torch
from torch import Tensor

from freqmaps.optimise.bases._api import Coefficients, OfImages
from freqmaps.optimise.bases.fourier import FourierPlan

TINY: dict[str, object] = {}


class PhasePlan(FourierPlan):
    """Half planes of amplitudes and phases."""

    linear = False

    def coefficients(self, images: Tensor) -> Coefficients:
        """Return |F x| and ∠F x in (−π, π], both (b, c, h, w // 2 + 1)."""
        spectrum = torch.fft.rfft2(images)
        return spectrum.abs(), spectrum.angle()

    def synthesise(self, coefficients: Coefficients, m: Tensor) -> Tensor:
        """Return Re F⁻¹(|F x| ⊙ exp(i M ∠F x))."""
        turned = torch.polar(coefficients[0], m * coefficients[1])
        image: Tensor = torch.fft.irfft2(turned, s=(m.shape[-2], self.width))
        return image

    def pull_back(self, towards: Tensor, coefficients: Coefficients, m: Tensor) -> Tensor:
        """Return Re(conj(i ∠F x ⊙ Y) ⊙ F(dL/dx_F)) / (h w), where Y is the spectrum of the filtered image."""
        amplitude, angle = coefficients
        gradient = torch.fft.rfft2(towards, norm="forward")
        turned = m * angle
        # With Y = a (cos t + i sin t): Re(conj(iY) G) = a (cos t Im G − sin t Re G).
        slope = torch.cos(turned) * gradient.imag - torch.sin(turned) * gradient.real
        return self.symmetrise_(slope.mul_(amplitude).mul_(angle))


def build() -> OfImages:
    """Return the basis: a factor in [0, 1] for the phase of each frequency and channel, amplitudes left alone."""
    return OfImages(PhasePlan)

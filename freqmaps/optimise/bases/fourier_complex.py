"""Complex factors of the discrete Fourier transform: x_F = Re F⁻¹(M ⊙ F x), |M| ≤ 1, so that phases may turn as well.

M is Hermitian, M(−k) = conj M(k), as F x is, so the filtered image is real. It starts at 1. The penalty sees |M|.

|M| has a corner at 0, where a gradient step would jump to and fro for ever and no entry would ever be 0. Three rules,
which for a real M come down to the clamp at 0, keep zeros exact:

* an entry whose step would turn it by a right angle or more has passed the origin, and is put there;
* its momentum is then 0: it starts anew from rest;
* at 0, it feels the smallest subgradient: the data term's gradient g, shortened by the penalty's slope s, that is
  g · max(0, 1 − s / |g|). So it stays at 0 as long as |g| ≤ s, which is the condition of a minimum.
"""

from __future__ import annotations

import torch
from torch import Tensor

from freqmaps.optimise.bases._api import Coefficients, OfImages, Plan
from freqmaps.optimise.layouts import ComplexFrequencyPlane
from freqmaps.optimise.objectives._api import Objective
from freqmaps.spectra.half_planes import filtered, mirrored_
from freqmaps.spectra.planes import multiplicity

TINY: dict[str, object] = {}
POOLED_BY = ("none", "mean")  # complex numbers have no largest one
#: Stands for |M| = 0 where the penalty's slope just above 0 is wanted.
SMALLEST = 1e-20


class ComplexPlan(Plan):
    """Half planes of complex maps, real and imaginary part last."""

    def __init__(self, images: Tensor) -> None:
        _, channels, height, self.width = images.shape
        weight = torch.from_numpy(multiplicity(height, self.width)).to(images.device, images.dtype)
        super().__init__(ComplexFrequencyPlane(channels, height, self.width), weight, 2 * images[0].numel())

    def coefficients(self, images: Tensor) -> Coefficients:
        """Return F x, (b, c, h, w // 2 + 1) complex."""
        return (torch.fft.rfft2(images),)

    def initial(self, coefficients: Coefficients) -> Tensor:
        """Return 1 + 0i."""
        ones = super().initial(coefficients)
        ones[..., 1] = 0
        return ones

    def synthesise(self, coefficients: Coefficients, m: Tensor) -> Tensor:
        """Return Re F⁻¹(M ⊙ F x)."""
        return filtered(coefficients[0], torch.view_as_complex(m), self.width)

    def pull_back(self, towards: Tensor, coefficients: Coefficients, m: Tensor) -> Tensor:
        """Return dL/dRe M and dL/dIm M: the parts of conj(F x) ⊙ F(dL/dx_F) / (h w)."""
        gradient = coefficients[0].conj() * torch.fft.rfft2(towards, norm="forward")
        return self.symmetrise_(torch.view_as_real(gradient))

    def symmetrise_(self, gradient: Tensor) -> Tensor:
        """Make the columns that hold both ky and −ky Hermitian."""
        for part, sign in enumerate((1.0, -1.0)):
            mirrored_(gradient[..., part], self.width, sign)
        return gradient

    def size(self, m: Tensor) -> Tensor:
        """Return the modulus, (b, c, h, w // 2 + 1)."""
        modulus: Tensor = torch.linalg.vector_norm(m, dim=-1)
        return modulus

    def gradient(self, objective: Objective, m: Tensor, data: Tensor) -> tuple[Tensor, Tensor]:
        """Return the penalty of |M|, and the gradient: at 0, the smallest subgradient."""
        size = self.size(m)
        penalty, slope = objective.penalty(size.clamp(min=SMALLEST), self.weight)
        pull = torch.linalg.vector_norm(data, dim=-1)
        shortened = data * (1 - slope / pull.clamp(min=SMALLEST)).clamp(min=0)[..., None]
        outward = m / size.clamp(min=SMALLEST)[..., None]
        return penalty, torch.where(size[..., None] > 0, data + slope[..., None] * outward, shortened)

    def move_(self, m: Tensor, direction: Tensor, rate: Tensor, momentum: Tensor) -> None:
        """Step, stop at the origin what would pass it, and put the rest back into the unit disc."""
        moved = torch.addcmul(m, direction, rate, value=-1)
        passed = ((m * moved).sum(dim=-1, keepdim=True) <= 0) & (m != 0).any(dim=-1, keepdim=True) & (rate != 0)
        moved.div_(torch.linalg.vector_norm(moved, dim=-1, keepdim=True).clamp(min=1)).clamp_(-1, 1)
        m.copy_(torch.where(rate != 0, moved, m).masked_fill_(passed, 0))
        momentum.masked_fill_(passed, 0)


def build() -> OfImages:
    """Return the basis: a complex factor of modulus at most 1 for each frequency and channel."""
    return OfImages(ComplexPlan)

"""The two-dimensional cosine transform: x_F = Cᵀ(M ⊙ C x Cᵀ)C, C the orthonormal transform of type II, M in [0, 1].

Unlike the Fourier transform it sees no jump between opposite edges, its coefficients are real, and none of them speaks
for another. Its frequencies are counted in half cycles per image, 0 to h − 1 and w − 1, the lowest first.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from freqmaps.optimise.bases._api import Coefficients, OfImages, Plan
from freqmaps.optimise.layouts import Coordinate, Grid

TINY: dict[str, object] = {}


def cosines(n: int) -> Tensor:
    """Return the orthonormal matrix of the one-dimensional transform, (n, n) float64, one frequency per row."""
    k, i = torch.arange(n, dtype=torch.float64)[:, None], torch.arange(n, dtype=torch.float64)
    matrix = math.sqrt(2 / n) * torch.cos(math.pi * (2 * i + 1) * k / (2 * n))
    matrix[0] /= math.sqrt(2)
    return matrix


def _axis(name: str, size: int) -> Coordinate:
    return (name,), np.arange(size, dtype=np.int64), {"units": "half cycles per image"}


class CosinePlan(Plan):
    """Matrix products: for the sizes of images as fast as fast transforms, and a network costs far more."""

    def __init__(self, images: Tensor) -> None:
        _, channels, height, width = images.shape
        labels = {"row": _axis("row", height), "column": _axis("column", width)}
        weight = torch.ones(height, width, dtype=images.dtype, device=images.device)
        super().__init__(Grid(channels, height, width, labels), weight, images[0].numel())
        self.vertical, self.horizontal = cosines(height).to(images), cosines(width).to(images)

    def coefficients(self, images: Tensor) -> Coefficients:
        """Return C x Cᵀ, (b, c, h, w)."""
        return (self.vertical @ images @ self.horizontal.T,)

    def synthesise(self, coefficients: Coefficients, m: Tensor) -> Tensor:
        """Return Cᵀ(M ⊙ C x Cᵀ)C."""
        return self.vertical.T @ (coefficients[0] * m) @ self.horizontal

    def pull_back(self, towards: Tensor, coefficients: Coefficients, m: Tensor) -> Tensor:
        """Return (C x Cᵀ) ⊙ (C dL/dx_F Cᵀ)."""
        return (self.vertical @ towards @ self.horizontal.T).mul_(coefficients[0])


def build() -> OfImages:
    """Return the basis: a factor in [0, 1] for each cosine and channel."""
    return OfImages(CosinePlan)

"""Scaling, shifting and rotating every image of a batch by its own amount, on whatever device the batch lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from freqmaps.core.errors import FreqmapsError
from freqmaps.training.context import Batch, StepContext
from freqmaps.training.regimes._api import Regime

Interpolation = Literal["bilinear", "nearest"]


@dataclass(frozen=True)
class Warped(Regime):
    """Training on images that are scaled, shifted and rotated at random, each by its own amount, anew in every step.

    All amounts are uniform. The conventions are those of torchvision's ``RandomAffine``.

    Attributes
    ----------
    scale
        Smallest and largest factor.
    shift
        Largest shift to either side as a part of the width and of the height; drawn apart for the two, and rounded to
        whole pixels.
    rotation
        Smallest and largest angle in degrees, clockwise as the image is seen.
    interpolation
        How pixels between pixels are read.
    """

    scale: tuple[float, float] = (1.0, 1.0)
    shift: float = 0.0
    rotation: tuple[float, float] = (0.0, 0.0)
    interpolation: Interpolation = "bilinear"

    def prepare(self, model: nn.Module, batch: Batch, context: StepContext) -> Tensor:
        """Return the transformed images."""
        return self.transform(batch.images, context.generator)

    def transform(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return the batch (n, c, h, w), each image by amounts drawn from the generator on its device."""
        drawn = torch.rand((4, len(images)), generator=generator, device=images.device)
        size = _pair(images.shape[-1], images.shape[-2], drawn)
        shifts = ((2 * drawn[:2].T - 1) * self.shift * size).round()
        scales, angles = (_between(u, *ends) for u, ends in zip(drawn[2:], (self.scale, self.rotation), strict=True))
        return warp(images, shifts, scales, angles, self.interpolation)


def warp(
    images: Tensor, shifts: Tensor, scales: Tensor, angles: Tensor, interpolation: Interpolation = "bilinear"
) -> Tensor:
    """Rotate and scale each image about its centre, then shift it.

    Parameters
    ----------
    images
        (n, c, h, w) floats.
    shifts
        (n, 2) pixels to the right and downwards.
    scales
        (n,) factors above 0; 2 shows everything twice as large.
    angles
        (n,) degrees, clockwise as the image is seen.
    interpolation
        ``bilinear`` or ``nearest``.

    Returns
    -------
    Tensor
        (n, c, h, w). What comes from outside of the image is 0.
    """
    # ASSUME: what moves in is black, 0 in images of [0, 1] whatever the network's normalisation, as in the released
    # code of Karantzas et al., where the transform comes before the normalisation.
    # ASSUME: bilinear by default; that code leaves torchvision's default for images of PIL, nearest neighbours.
    # Coordinates of half precision would be off by a pixel.
    with torch.autocast(images.device.type, enabled=False):
        theta = _inverse(shifts, scales, angles, *images.shape[-2:])
        grid = F.affine_grid(theta, list(images.shape), align_corners=False)
        return F.grid_sample(images.float(), grid, interpolation, "zeros", align_corners=False).to(images.dtype)


def check_ends(low: float, high: float, what: str) -> None:
    """Raise a FreqmapsError unless ``low <= high``."""
    if low > high:
        raise FreqmapsError(f"{what}: low {low:g} lies above high {high:g}; swap them")


def _between(uniform: Tensor, low: float, high: float) -> Tensor:
    return low + uniform * (high - low)


def _pair(first: float, second: float, like: Tensor) -> Tensor:
    """Return two numbers, (2,), on the device of a tensor: filled in there, since a copy would make a step wait."""
    return torch.stack([like.new_full((), first), like.new_full((), second)])


def _inverse(shifts: Tensor, scales: Tensor, angles: Tensor, height: int, width: int) -> Tensor:
    """Return (n, 2, 3): where each output pixel comes from, in coordinates from -1 to 1 over the image.

    In pixels from the centre, x to the right and y down, ``out = scale R in + shift`` with R = (cos, -sin; sin, cos),
    so ``in = R^T (out - shift) / scale``; R turns clockwise because y points down.
    """
    radians = torch.deg2rad(angles.float())
    rows = torch.stack([radians.cos(), radians.sin(), -radians.sin(), radians.cos()], dim=1).reshape(-1, 2, 2)
    inverse = rows / scales.float()[:, None, None]
    half = _pair(width / 2, height / 2, inverse)
    offset = (inverse * shifts.float()[:, None, :]).sum(dim=2, keepdim=True)
    return torch.cat([inverse * half, -offset], dim=2) / half[:, None]

"""Filtering images by the maps of their groups, and the gradient back: torch's side of the half plane."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from freqmaps.maps.planes import own_mirror


def filtered(spectrum: Tensor, maps: Tensor, width: int) -> Tensor:
    """Return x_F = Re F⁻¹(M ⊙ F x) (Basile et al., eq. 1), shape (b, c, h, width), of half planes."""
    image: Tensor = torch.fft.irfft2(spectrum * maps, s=(maps.shape[-2], width))
    return image


def towards_map(towards_image: Tensor, spectrum: Tensor) -> Tensor:
    """Return each image's share of dL/dM: Re(conj(F x) ⊙ F(dL/dx_F)) / (h w), per full-plane entry, half planes."""
    gradient = torch.fft.rfft2(towards_image, norm="forward")
    a, b = torch.view_as_real(spectrum), torch.view_as_real(gradient)
    return (a[..., 0] * b[..., 0]).addcmul_(a[..., 1], b[..., 1])


def mirror_(half: Tensor, width: int) -> Tensor:
    """Make the entries at ky and -ky of the columns that hold both equal to the last bit, in place.

    Their gradients differ by rounding, which Adam blows up where the gradient vanishes; a map that is not point
    symmetric has no real image.
    """
    for column in own_mirror(width):
        part = half[..., column]
        part.copy_((part + part.flip(-1).roll(1, -1)).mul_(0.5))
    return half


def uniform(shape: tuple[int, int, int], seed: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the half plane (c, h, w // 2 + 1) of point-symmetric noise, each full-plane entry uniform in [0, 1].

    Parameters
    ----------
    shape
        (c, h, w) of the full plane.
    seed
        The same numbers give the same noise.
    """
    c, h, w = shape
    noise = np.random.default_rng(seed).random((c, h, w // 2 + 1), dtype=np.float32)
    below = np.arange(h // 2 + 1, h)
    for column in own_mirror(w):
        noise[:, below, column] = noise[:, h - below, column]
    return noise

"""Filtering real images with maps of their Fourier transform, and its gradient, on half planes (see ``planes``)."""

from __future__ import annotations

import torch
from torch import Tensor

from freqmaps.spectra.planes import own_mirror


def filtered(spectrum: Tensor, m: Tensor, width: int) -> Tensor:
    """Return x_F = Re F⁻¹(M ⊙ F x) (Basile et al., eq. 1).

    Parameters
    ----------
    spectrum, m
        (b, c, h, width // 2 + 1): ``rfft2`` of the images, and the maps, real or complex.
    width
        Columns of the images.

    Returns
    -------
    Tensor, shape (b, c, h, width)
    """
    image: Tensor = torch.fft.irfft2(spectrum * m, s=(m.shape[-2], width))
    return image


def towards_map(towards_image: Tensor, spectrum: Tensor, width: int) -> Tensor:
    """Return dL/dM per full-plane entry, Re(conj(F x) ⊙ F(dL/dx_F)) / (h w), on the half plane.

    x_F[n] = Re Σ_k M[k] X[k] exp(iω·kn) / (h w), so dL/dM[k] = Σ_n g[n] Re(X[k] exp(iω·kn)) / (h w).
    """
    gradient = torch.fft.rfft2(towards_image, norm="forward")
    a, b = torch.view_as_real(spectrum), torch.view_as_real(gradient)
    return mirrored_((a[..., 0] * b[..., 0]).addcmul_(a[..., 1], b[..., 1]), width)


def mirrored_(half: Tensor, width: int, sign: float = 1.0) -> Tensor:
    """Make the columns that hold both ky and −ky symmetric (or, with ``sign`` −1, antisymmetric), in place.

    Their gradients are so but for rounding, which Adam blows up where the gradient vanishes; symmetric to the last bit,
    they keep the map symmetric and its transform real.
    """
    for column in own_mirror(width):
        part = half[..., column]
        part.copy_((part + sign * part.flip(-1).roll(1, -1)).mul_(0.5))
    return half

"""The two-dimensional discrete wavelet transform: x_F = Wᵀ(M ⊙ W x), M in [0, 1].

Where Fourier coefficients say which frequency, wavelet coefficients also say where in the image. The boundary is
periodic, so an orthogonal wavelet gives an orthonormal transform with as many coefficients as pixels. They lie as
pictures of wavelet transforms are drawn: the approximation of the last level top left, and around it, level by level,
the details, ``horizontal`` below, ``vertical`` to the right, ``diagonal`` below to the right.
"""

from __future__ import annotations

import numpy as np
import pywt
import torch
from numpy.typing import NDArray
from torch import Tensor

from freqmaps.core.errors import ConfigError, FreqmapsError, nearest
from freqmaps.optimise.bases._api import Coefficients, OfImages, Plan
from freqmaps.optimise.layouts import Coordinate, Grid

TINY = {"levels": 2}
RANGES = {"levels": "[1, 16)"}
LIBRARIES = ("PyWavelets",)
POOLED_BY = ("none",)  # neighbours mean nothing
ASKS_NETWORK = True  # images must be halved ``levels`` times


def analysis(name: str, n: int) -> NDArray[np.float64]:
    """Return one level of the one-dimensional transform as an orthogonal matrix (n, n): low pass above high pass."""
    low, high = pywt.dwt(np.eye(n), name, mode="periodization", axis=0)
    return np.concatenate([low, high])


def labels(height: int, width: int, levels: int) -> dict[str, Coordinate]:
    """Return the level (1 is the finest) and the orientation of each coefficient, both (height, width)."""
    level = np.full((height, width), levels, dtype=np.int64)
    orientation = np.full((height, width), "approximation", dtype=object)
    for number in range(levels, 0, -1):
        h, w = height >> number, width >> number
        for name, rows, columns in (
            ("horizontal", slice(h, 2 * h), slice(0, w)),
            ("vertical", slice(0, h), slice(w, 2 * w)),
            ("diagonal", slice(h, 2 * h), slice(w, 2 * w)),
        ):
            level[rows, columns], orientation[rows, columns] = number, name
    axes = ("row", "column")
    return {"level": (axes, level, {}), "orientation": (axes, orientation, {})}


class WaveletPlan(Plan):
    """A pair of matrix products per level, each on a quarter of the one before."""

    def __init__(self, images: Tensor, name: str, levels: int) -> None:
        _, channels, height, width = images.shape
        if height % 2**levels or width % 2**levels:
            raise FreqmapsError(
                f"basis wavelet: images of {height}×{width} cannot be halved {levels} times; give fewer levels"
            )
        grid = Grid(channels, height, width, labels(height, width, levels), neighbours=False)
        super().__init__(grid, torch.ones(height, width).to(images), images[0].numel())
        self.matrices = [
            tuple(torch.from_numpy(analysis(name, n >> number)).to(images) for n in (height, width))
            for number in range(levels)
        ]

    def coefficients(self, images: Tensor) -> Coefficients:
        """Return W x, (b, c, h, w)."""
        return (self._analyse(images),)

    def synthesise(self, coefficients: Coefficients, m: Tensor) -> Tensor:
        """Return Wᵀ(M ⊙ W x)."""
        planes = coefficients[0] * m
        for vertical, horizontal in reversed(self.matrices):
            part = planes[..., : len(vertical), : len(horizontal)]
            part.copy_(vertical.T @ part @ horizontal)
        return planes

    def pull_back(self, towards: Tensor, coefficients: Coefficients, m: Tensor) -> Tensor:
        """Return (W x) ⊙ (W dL/dx_F)."""
        return self._analyse(towards).mul_(coefficients[0])

    def _analyse(self, images: Tensor) -> Tensor:
        planes = images.clone(memory_format=torch.contiguous_format)
        for vertical, horizontal in self.matrices:
            part = planes[..., : len(vertical), : len(horizontal)]
            part.copy_(vertical @ part @ horizontal.T)
        return planes


def build(*, wavelet: str = "haar", levels: int = 3) -> OfImages:
    """Return the basis: a factor in [0, 1] for each wavelet coefficient and channel.

    Parameters
    ----------
    wavelet
        An orthogonal wavelet as PyWavelets names it: ``haar``, ``db4``, ``sym4``, ``coif1``, ...
    levels
        How often the image is halved; 2 to this power must divide its height and width.

    Raises
    ------
    ConfigError
        No such wavelet, or one that is not orthogonal.
    """
    known = [name for name in pywt.wavelist(kind="discrete") if pywt.Wavelet(name).orthogonal]
    if wavelet not in known:
        raise ConfigError(f"basis wavelet: no orthogonal wavelet named '{wavelet}'; {nearest(wavelet, known)}")
    return OfImages(lambda images: WaveletPlan(images, wavelet, levels))

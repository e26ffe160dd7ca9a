"""Point-symmetric noise: what maps start from when they do not start from ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from freqmaps.spectra.planes import own_mirror


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

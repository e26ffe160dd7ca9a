"""Images, spectra and maps as the atlas page holds them: quantised to a few bits and reduced to a small size.

Images of up to ``SIDE`` pixels a side are sent whole, and the page computes spectra and filtered images from them.
Larger ones, and their frequency planes, are averaged over blocks; what cannot be computed from averages (spectra,
filtered images) is then sent too.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log10
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freqmaps.spectra import transforms as spectra
from freqmaps.spectra.planes import to_half

#: Side up to which images are sent whole, and to which larger ones are reduced.
SIDE = 64

#: The coarsest steps in which the change that an attack makes is sent: quarters of an 8-bit level. A small change is
#: sent in steps of a fifteenth of its largest entry.
STEP = 1 / 1020
_LEVELS = 15

#: Decades below the largest possible magnitude (h * w) that the scale of spectra spans.
DECADES = 5.0

#: Images transformed at a time: bounds memory.
_BLOCK = 32


def factor(shape: Sequence[int]) -> int:
    """Return the side of the blocks over which images (c, h, w) are averaged; 1 keeps them unchanged."""
    return max(1, ceil(max(shape[-2:]) / SIDE))


def bytes_per_sample(shape: Sequence[int], attacks: int) -> int:
    """Return the bytes that a sample of shape (c, h, w) takes before compression: images, maps, and what is sent too.

    >>> bytes_per_sample((3, 32, 32), 3)
    28032
    """
    c, h, w = shape
    f = factor(shape)
    if f == 1:
        image, half = c * h * w, c * h * (w // 2 + 1)
        return image * (1 + 2 * attacks) + half * (1 + attacks)
    area = ceil(h / f) * ceil(w / f)
    return area * (c * (1 + 2 * attacks) + 2 * c * (1 + attacks) + 1 + 2 * attacks)


def scale(shape: Sequence[int]) -> tuple[float, float]:
    """Return the ends of the scale of spectra, as log10 of the magnitude: the upper one is that of a white image."""
    top = log10(shape[-2] * shape[-1])
    return top - DECADES, top


def unit8(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Quantise values in [0, 1] to 0..255; what lies outside is clipped."""
    levels: NDArray[np.uint8] = np.rint(np.clip(values, 0.0, 1.0) * 255).astype(np.uint8)
    return levels


def delta16(image: NDArray[Any], clean: NDArray[Any]) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """Quantise ``image - clean``, both (m, c, h, w) in [0, 1].

    Returns
    -------
    tuple of ndarray
        The changes as whole numbers of steps, and each image's step, (m,) float32: at most ``STEP``.
    """
    change = image.astype(np.float64) - clean
    most = np.abs(change).max(axis=(1, 2, 3), initial=0.0)
    step = np.where(most > 0, np.minimum(STEP, most / _LEVELS), STEP).astype(np.float32)
    return np.rint(change / step[:, None, None, None]).astype(np.int16), step


def log8(magnitudes: NDArray[Any], ends: tuple[float, float]) -> NDArray[np.uint8]:
    """Quantise magnitudes >= 0 on a logarithmic scale: 0 and 255 stand for 10**ends[0] (or less) and 10**ends[1]."""
    low, high = ends
    logs = np.log10(np.maximum(magnitudes, 10.0**low))
    return unit8((logs - low) / (high - low))


def reduced(values: NDArray[Any], block: int) -> NDArray[Any]:
    """Average the last two axes over blocks of ``block`` by ``block``; blocks at the far edges may be smaller.

    >>> reduced(np.arange(9.0).reshape(3, 3), 2).tolist()
    [[2.0, 3.5], [6.5, 8.0]]
    """
    if block == 1:
        return values
    for axis in (-2, -1):
        starts = np.arange(0, values.shape[axis], block)
        sizes = np.diff(np.append(starts, values.shape[axis]))
        shape = [1] * values.ndim
        shape[axis] = len(sizes)
        values = np.add.reduceat(values, starts, axis=axis) / sizes.reshape(shape)
    return values


def planes(
    image: NDArray[np.float32], maps: NDArray[np.float32], clean: NDArray[np.float32] | None = None
) -> dict[str, NDArray[Any]]:
    """Return the arrays that the page holds for a set of images and their maps.

    Parameters
    ----------
    image, maps
        (m, c, h, w) float32 in [0, 1]; the maps' origin in the middle.
    clean
        For attacked images the clean ones, row by row.

    Returns
    -------
    dict of ndarray
        ``image`` (uint8), or ``delta`` and ``step`` (see :func:`delta16`) for attacked ones, and ``map`` (uint8): half
        planes (m, c, h, w // 2 + 1), origin in the corner, of images sent whole; else averaged full planes, with
        ``spectrum`` (uint8, mean of the channels' :func:`log8` of magnitudes), for attacked images
        ``change_spectrum`` (the same of the change), and ``filtered`` (uint8, clipped to [0, 1]).
    """
    shape = image.shape[1:]
    block, ends = factor(shape), scale(shape)
    blocks = [
        _planes(image[i : i + _BLOCK], maps[i : i + _BLOCK], None if clean is None else clean[i : i + _BLOCK], ends)
        for i in range(0, max(len(image), 1), _BLOCK)
    ]
    joined = {name: np.concatenate([part[name] for part in blocks]) for name in blocks[0]}
    return {name: joined[name] for name in _kept(block, clean is not None)}


def _kept(block: int, attacked: bool) -> list[str]:
    names = [*(["delta", "step"] if attacked else ["image"]), "map"]
    if block > 1:
        names += ["spectrum", "filtered", *(["change_spectrum"] if attacked else [])]
    return names


def _planes(
    image: NDArray[np.float32], maps: NDArray[np.float32], clean: NDArray[np.float32] | None, ends: tuple[float, float]
) -> dict[str, NDArray[Any]]:
    block = factor(image.shape[1:])
    small = reduced(image, block)
    quantised: dict[str, NDArray[Any]] = {}
    if clean is None:
        quantised["image"] = unit8(small)
    else:
        quantised["delta"], quantised["step"] = delta16(small, reduced(clean, block))
    if block == 1:
        return quantised | {"map": unit8(to_half(maps))}
    quantised["map"] = unit8(reduced(maps, block))
    quantised["spectrum"] = _spectra(image, ends, block)
    quantised["filtered"] = unit8(reduced(spectra.filter_image(image, maps), block))
    if clean is not None:
        quantised["change_spectrum"] = _spectra(image - clean, ends, block)
    return quantised


def _spectra(values: NDArray[np.float32], ends: tuple[float, float], block: int) -> NDArray[np.uint8]:
    return log8(reduced(spectra.spectrum(values).mean(axis=1), block), ends)

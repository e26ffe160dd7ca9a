"""Corrupting images: constants by severity and image size, and random numbers that depend on the sample alone.

A corruption is a file of this folder with

* ``GROUP``: ``noise``, ``blur``, ``weather``, ``digital`` or ``extra``, the groups of the benchmark;
* ``SEVERITIES``: for each benchmark (a key of :data:`BENCHMARKS`) one constant, or one tuple of them, per severity;
* ``corrupt(images, draws, constant)``, which takes and returns (n, c, h, w) float64; what leaves [0, 1] is clipped.

The benchmarks are those of Hendrycks & Dietterich, "Benchmarking neural network robustness to common corruptions and
perturbations", ICLR 2019 (CIFAR-10-C, CIFAR-100-C, Tiny-ImageNet-C, ImageNet-C); the constants are those that their
images were made with, as published in https://github.com/hendrycks/robustness. The code is written anew, so images
are alike and not equal; three things differ throughout: values are not rounded to bytes (but in ``jpeg_compression``),
random numbers are others, and interpolation is exact where the benchmark's library rounds positions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from math import log
from typing import TYPE_CHECKING, Any

import numpy as np

from freqmaps.core import components
from freqmaps.core.errors import FreqmapsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Images = NDArray[np.float64]

#: The side in pixels of the images that each set of constants was published for.
BENCHMARKS = {"cifar": 32, "tiny_imagenet": 64, "imagenet": 224}
#: Values that are corrupted together: 24 MiB of float64.
_TOGETHER = 3 << 20


class Draws:
    """Random numbers of some samples, independent of the batch or shard that they are in.

    Every sample has its own counter-based stream (Philox), keyed by the seed, by what is drawn, and by the sample's
    position in the dataset.

    Parameters
    ----------
    seed
        Any integer.
    what
        Tells this use of the seed from others: corruption and severity.
    positions
        (n,) each sample's position in its dataset, at least 0.
    """

    def __init__(self, seed: int, what: str, positions: Sequence[int] | NDArray[np.int64]) -> None:
        word = int.from_bytes(hashlib.sha256(f"{seed} {what}".encode()).digest()[:8], "little")
        keys = [np.array([word, position], dtype=np.uint64) for position in positions]
        self._generators = [np.random.Generator(np.random.Philox(key=key)) for key in keys]

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._generators)

    def normal(self, shape: tuple[int, ...], mean: float = 0.0, sd: float = 1.0) -> Images:
        """Return (n, *shape) normal numbers."""
        return mean + sd * self._each(lambda g: g.standard_normal(shape), shape)

    def uniform(self, shape: tuple[int, ...], low: float = 0.0, high: float = 1.0) -> Images:
        """Return (n, *shape) numbers, uniform from ``low`` to ``high``."""
        return low + (high - low) * self._each(lambda g: g.random(shape), shape)

    def integers(self, shape: tuple[int, ...], low: int, high: int) -> NDArray[np.int64]:
        """Return (n, *shape) integers, ``low`` among them and ``high`` not."""
        return self._each(lambda g: g.integers(low, high, shape), shape).astype(np.int64)

    def poisson(self, means: Images) -> Images:
        """Return numbers of the Poisson distribution with the given means, (n, ...)."""
        pairs = zip(self._generators, means, strict=True)
        return np.array([g.poisson(mean) for g, mean in pairs], dtype=np.float64).reshape(means.shape)

    def _each(self, draw: Callable[[np.random.Generator], Any], shape: tuple[int, ...]) -> Images:
        return np.array([draw(g) for g in self._generators], dtype=np.float64).reshape(len(self), *shape)


def benchmark_of(side: int) -> str:
    """Return the benchmark whose images are nearest to a side in pixels, in ratio: up to 45, up to 119, above.

    >>> [benchmark_of(side) for side in (8, 32, 45, 46, 64, 119, 120, 224, 384)]
    ['cifar', 'cifar', 'cifar', 'tiny_imagenet', 'tiny_imagenet', 'tiny_imagenet', 'imagenet', 'imagenet', 'imagenet']
    """
    return min(BENCHMARKS, key=lambda name: abs(log(side / BENCHMARKS[name])))


def constant(name: str, severity: int, benchmark: str) -> Any:
    """Return the constant of a corruption at a severity.

    Parameters
    ----------
    name
        The corruption.
    severity
        From 1.
    benchmark
        A key of :data:`BENCHMARKS`.

    Raises
    ------
    FreqmapsError
        The corruption has no constants for that benchmark, or none of that severity.
    """
    table = components.find("corruption", name).constants.get("SEVERITIES", {})
    if benchmark not in table or not 1 <= severity <= len(table[benchmark]):
        raise FreqmapsError(
            f"corruption '{name}' has no constant of severity {severity} for '{benchmark}'; add it to its SEVERITIES"
        )
    return table[benchmark][severity - 1]


def corrupted(
    images: NDArray[np.float32],
    name: str,
    severity: int,
    *,
    seed: int,
    positions: Sequence[int] | NDArray[np.int64],
    benchmark: str | None = None,
) -> NDArray[np.float32]:
    """Return images with one corruption.

    Parameters
    ----------
    images
        (n, c, h, w) in [0, 1], of any size; 3 channels are red, green and blue.
    name
        The corruption: a file of this folder, or ``module:function``.
    severity
        1 to 5.
    seed
        Of all random numbers.
    positions
        (n,) each image's position in its dataset: the same position has the same random numbers in any batch.
    benchmark
        Whose constants: ``cifar``, ``tiny_imagenet``, ``imagenet``; None: by the shorter side, :func:`benchmark_of`.
        Lengths in pixels are taken as published, and not scaled with the image.

    Returns
    -------
    ndarray of float32, shape (n, c, h, w)
        In [0, 1].

    Raises
    ------
    FreqmapsError
        No such severity, or the corruption returned another shape or values that are not finite.
    """
    value = constant(name, severity, benchmark or benchmark_of(min(images.shape[2:])))
    function = components.load("corruption", name)
    out = np.empty(images.shape, dtype=np.float32)
    rows = max(1, _TOGETHER // max(1, images[0].size)) if len(images) else 1
    for start in range(0, len(images), rows):
        part = slice(start, start + rows)
        draws = Draws(seed, f"{name} {severity}", positions[part])
        changed = function(images[part].astype(np.float64), draws, value)
        if changed.shape != images[part].shape or not np.isfinite(changed).all():
            raise FreqmapsError(
                f"corruption '{name}' must return finite images of shape {images[part].shape}; it returned "
                f"{changed.shape}, {np.count_nonzero(~np.isfinite(changed))} values not finite"
            )
        out[part] = np.clip(changed, 0, 1)
    return out

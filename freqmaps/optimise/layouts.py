"""How maps lie in memory while they are made, and how they lie, labelled, in the store.

A layout names the axes of one map in the store and turns batches of maps from one form into the other. Arrays in,
arrays out; no torch, no zarr.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from freqmaps.spectra.planes import own_mirror, to_full, to_half

#: A coordinate: its dims, its values, and what is to be known of it (units).
Coordinate = tuple[tuple[str, ...], NDArray[Any], dict[str, str]]

PARTS = ("real", "imaginary")


class Layout(Protocol):
    """What the store must know of a basis's maps.

    Attributes
    ----------
    name
        A layout of the contract ``freqmaps.stores.MAPS``.
    shape
        Of one map while it is made.
    dims
        Of one map in the store.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def dims(self) -> tuple[str, ...]: ...  # noqa: D102

    def coordinates(self) -> dict[str, Coordinate]:
        """Return the labels of the axes."""
        ...

    def to_store(self, maps: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn maps (n, *shape) into the store's form, one axis per dim after the first."""
        ...

    def from_store(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn maps of a store back: the inverse of :meth:`to_store`."""
        ...

    def draw(self, generator: np.random.Generator) -> NDArray[np.float32]:
        """Return a random map of this shape: its entries uniform in their range, with the symmetry that maps have."""
        ...


def frequency_axes(height: int, width: int) -> dict[str, Coordinate]:
    """Return the signed frequencies of the two axes, in cycles per image, origin in the middle."""
    return {
        axis: ((axis,), np.arange(size, dtype=np.int64) - size // 2, {"units": "cycles per image"})
        for axis, size in (("ky", height), ("kx", width))
    }


def _mirror_pairs(height: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows −ky of a column that is its own mirror image, and the rows ky whose mirror images they are."""
    below = np.arange(height // 2 + 1, height)
    return below, height - below


@dataclass(frozen=True)
class FrequencyPlane:
    """Real maps of the discrete Fourier transform: half planes while made, full planes in the store."""

    channels: int
    height: int
    width: int
    name: str = "frequencies"
    dims: tuple[str, ...] = ("channel", "ky", "kx")

    @property
    def shape(self) -> tuple[int, ...]:
        """Channels, and the half plane of ``rfft2``."""
        return self.channels, self.height, self.width // 2 + 1

    def coordinates(self) -> dict[str, Coordinate]:
        """Return the signed frequencies."""
        return frequency_axes(self.height, self.width)

    def to_store(self, maps: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (n, channels, height, width)."""
        return to_full(maps, self.width)

    def from_store(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (n, channels, height, width // 2 + 1)."""
        return to_half(values)

    def draw(self, generator: np.random.Generator) -> NDArray[np.float32]:
        """Return point-symmetric noise, each entry of the full plane uniform in [0, 1]."""
        noise = generator.random(self.shape, dtype=np.float32)
        for column in own_mirror(self.width):
            below, above = _mirror_pairs(self.height)
            noise[:, below, column] = noise[:, above, column]
        return noise


@dataclass(frozen=True)
class ComplexFrequencyPlane:
    """Complex maps of the discrete Fourier transform; real and imaginary parts last while made, first in the store."""

    channels: int
    height: int
    width: int
    name: str = "complex_frequencies"
    dims: tuple[str, ...] = ("part", "channel", "ky", "kx")

    @property
    def shape(self) -> tuple[int, ...]:
        """Channels, the half plane of ``rfft2``, and two parts."""
        return self.channels, self.height, self.width // 2 + 1, 2

    def coordinates(self) -> dict[str, Coordinate]:
        """Return the names of the parts and the signed frequencies."""
        return {"part": (("part",), np.array(PARTS, dtype=object), {}), **frequency_axes(self.height, self.width)}

    def to_store(self, maps: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (n, 2, channels, height, width); the map at −k is the conjugate of that at k."""
        real, imaginary = maps[..., 0], maps[..., 1]
        full = to_full(real + 1j * imaginary, self.width)
        return np.stack([full.real, full.imag], axis=1).astype(np.float32)

    def from_store(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (n, channels, height, width // 2 + 1, 2)."""
        return np.stack([to_half(values[:, part]) for part in range(2)], axis=-1)

    def draw(self, generator: np.random.Generator) -> NDArray[np.float32]:
        """Return Hermitian noise, each entry uniform in the unit disc; those that must be real, in [-1, 1]."""
        modulus, angle = np.sqrt(generator.random(self.shape[:-1])), 2 * np.pi * generator.random(self.shape[:-1])
        noise = np.stack([modulus * np.cos(angle), modulus * np.sin(angle)], axis=-1).astype(np.float32)
        for column in own_mirror(self.width):
            below, above = _mirror_pairs(self.height)
            noise[:, below, column] = noise[:, above, column] * np.array([1, -1], dtype=np.float32)
            for row in own_mirror(self.height):
                noise[:, row, column] = (2 * generator.random((self.channels, 1)) - 1) * np.array([1, 0])
        return noise


@dataclass(frozen=True)
class Grid:
    """Maps of a real transform that are kept as they are made: rows and columns with labels of their own.

    Parameters
    ----------
    channels, rows, columns
        Their shape.
    labels
        Coordinates over ``row``, ``column`` or both.
    neighbours
        Whether entries beside each other belong to neighbouring coefficients: only such maps may be pooled.
    """

    channels: int
    rows: int
    columns: int
    labels: Mapping[str, Coordinate] = field(default_factory=dict)
    neighbours: bool = True
    dims: tuple[str, ...] = ("channel", "row", "column")

    @property
    def name(self) -> str:
        """``plane`` or, if neighbours mean nothing, ``table``."""
        return "plane" if self.neighbours else "table"

    @property
    def shape(self) -> tuple[int, ...]:
        """Channels, rows, columns."""
        return self.channels, self.rows, self.columns

    def coordinates(self) -> dict[str, Coordinate]:
        """Return the labels."""
        return dict(self.labels)

    def to_store(self, maps: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the maps."""
        return maps

    def from_store(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the maps."""
        return values

    def draw(self, generator: np.random.Generator) -> NDArray[np.float32]:
        """Return noise, each entry uniform in [0, 1]."""
        return generator.random(self.shape, dtype=np.float32)

"""Random maps as a control: the values of a map shuffled within each ring of equal spatial frequency."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]

#: Numbers drawn at a time, as many as the planes shuffled together have entries: bounds the memory.
_DRAWN = 1 << 22


def shuffle_rings(
    planes: NDArray[np.float32], ky: Indices, kx: Indices, width: float, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Shuffle each plane's entries within rings of frequencies.

    An entry and the one at the opposite frequency move together, so that what is point symmetric stays so; entries that
    are their own opposite change places with each other only. Each plane gets an order of its own, drawn for one plane
    after the other: planes given in two calls are shuffled as in one.

    Parameters
    ----------
    planes
        (n, c, h, w) float32.
    ky, kx
        (h,) and (w,) int64: the signed frequencies, ascending, as map stores have them.
    width
        Of a ring, in cycles per image, above 0: ring b holds the radii from (b - 1/2) to (b + 1/2) widths.
    generator
        Draws the orders.

    Returns
    -------
    ndarray of float32, shape (n, c, h, w)
        A copy: in each plane and ring the same values.
    """
    flat = planes.reshape(-1, len(ky) * len(kx))
    shuffled, rings = flat.copy(), _rings(ky, kx, width)
    block = max(1, _DRAWN // flat.shape[1])
    for start in range(0, len(flat), block):
        part = slice(start, start + block)
        # One number per entry; the order of a ring's numbers is the order that its entries get.
        drawn = generator.random(flat[part].shape)
        for ring, opposite in rings:
            orders = np.argsort(drawn[:, ring], axis=1)
            shuffled[part, ring] = np.take_along_axis(flat[part][:, ring], orders, axis=1)
            shuffled[part, opposite] = np.take_along_axis(flat[part][:, opposite], orders, axis=1)
    return shuffled.reshape(planes.shape)


def _rings(ky: Indices, kx: Indices, width: float) -> list[tuple[Indices, Indices]]:
    """List what may change places: positions in the flat plane and those opposite, both (m,) with m > 1."""
    h, w = len(ky), len(kx)
    y, x = (axis.ravel() for axis in np.meshgrid(ky, kx, indexing="ij"))
    # Of an even axis the lowest frequency, -h / 2, is its own opposite: frequencies are known but for multiples of h.
    opposite = (-y + h // 2) % h * w + (-x + w // 2) % w
    ring = np.floor(np.hypot(y, x) / width + 0.5)
    place = np.arange(h * w)
    alone = opposite == place
    groups = [(ring == b) & group for b in np.unique(ring) for group in (alone, place < opposite)]
    return [(place[group], opposite[group]) for group in groups if group.sum() > 1]

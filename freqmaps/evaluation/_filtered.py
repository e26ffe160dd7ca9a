"""Images filtered by their frequency maps, and control maps to compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from freqmaps.spectra.transforms import filter_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Images filtered at once: bounds the memory of the transforms.
BLOCK = 256


def filtered(images: NDArray[np.float32], maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return x_F = Re F⁻¹(M ⊙ F x) (Basile et al., eq. 1) of each image.

    Parameters
    ----------
    images
        (n, c, h, w) float32.
    maps
        (n, c, h, w), or (1, c, h, w) for one map for all; full planes, origin in the middle.
    """
    one = len(maps) == 1
    parts = [
        filter_image(images[i : i + BLOCK], maps if one else maps[i : i + BLOCK]) for i in range(0, len(images), BLOCK)
    ]
    return np.concatenate(parts).astype(np.float32) if parts else images


def shuffled(maps: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    """Return maps with the same entries at other frequencies, still point symmetric.

    Entries that are each other's mirror image stay together; which pair goes where is drawn for each map, the same for
    all its channels. Frequencies that are their own mirror image (the origin) change places only among themselves.

    Parameters
    ----------
    maps
        (n, c, h, w) point-symmetric full planes, origin in the middle.
    generator
        Draws the new places.
    """
    h, w = maps.shape[-2:]
    y, x = np.divmod(np.arange(h * w), w)
    mirror = ((2 * (h // 2) - y) % h) * w + (2 * (w // 2) - x) % w
    own = np.flatnonzero(mirror == np.arange(h * w))
    first = np.flatnonzero(mirror > np.arange(h * w))
    flat = maps.reshape(*maps.shape[:2], h * w)
    result = flat.copy()
    for row in range(len(maps)):
        for group in (own, first):
            source = generator.permutation(group)
            result[row][:, group] = flat[row][:, source]
            result[row][:, mirror[group]] = flat[row][:, mirror[source]]
    return result.reshape(maps.shape)

"""Images filtered by their frequency maps, and control maps to compare with.

Maps of basis ``fourier`` multiply the transform of the image, maps of ``fourier_normalised`` that of the image after
the network's normalisation. In both cases the image is filtered about a zero point: what a removed origin leaves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from freqmaps.core.errors import FreqmapsError
from freqmaps.spectra.transforms import filter_image

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from freqmaps.models import Classifier

#: Images filtered at once: bounds the memory of the transforms.
BLOCK = 256


def zero_point(store: xr.Dataset, classifier: Classifier) -> NDArray[np.float64] | None:
    """Return what images are filtered about, (1, c, 1, 1): the mean that a network subtracts; None for 0.

    Parameters
    ----------
    store
        Maps or group maps over amplitudes; its attribute ``basis`` decides.
    classifier
        The network that sees the filtered images.

    Raises
    ------
    FreqmapsError
        The maps multiply something else.
    """
    basis = store.attrs.get("basis", "fourier")
    if basis not in ("fourier", "fourier_normalised"):
        raise FreqmapsError(f"maps of basis '{basis}' filter no image by its amplitudes; name maps of basis fourier")
    if basis == "fourier" or not classifier.normalises:
        return None
    mean: NDArray[np.float64] = classifier.mean.cpu().double().numpy()
    return mean


def filtered(
    images: NDArray[np.float32], maps: NDArray[np.float32], about: NDArray[np.float64] | None = None
) -> NDArray[np.float32]:
    """Return x_F = a + Re F⁻¹(M ⊙ F (x − a)) of each image; with a = 0, Basile et al., eq. 1.

    Parameters
    ----------
    images
        (n, c, h, w) float32.
    maps
        (n, c, h, w), or (1, c, h, w) for one map for all; full planes, origin in the middle.
    about
        a, (1, c, 1, 1), from :func:`zero_point`; None for 0.
    """
    shared = len(maps) == 1
    parts = []
    for i in range(0, len(images), BLOCK):
        some, masks = images[i : i + BLOCK], maps if shared else maps[i : i + BLOCK]
        parts.append(filter_image(some, masks) if about is None else filter_image(some - about, masks) + about)
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

"""Error rate of a network under each Fourier basis vector: the Fourier heat map.

Yin, Gontijo Lopes, Shlens, Cubuk and Gilmer, "A Fourier perspective on model robustness in computer vision", NeurIPS
2019, section 2. The basis vector of frequency k is the real image u_k of ℓ2 norm 1 whose transform is 0 but at k and
−k, where it has the same real value: u_k[y, x] ∝ cos(2π (ky y / h + kx x / w)). The two frequencies have the same one,
so half of the plane is computed. Each channel of an image x becomes x + r v u_k, with a norm v and a random sign r.

ASSUME: perturbed images are not clipped to [0, 1], as in the paper's formula, so that the perturbation of each channel
has norm v exactly; ``clip`` changes that.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import nan, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from freqmaps.attacks._network import frozen
from freqmaps.core.device import in_parts
from freqmaps.core.errors import FreqmapsError
from freqmaps.evaluation._api import Evaluated, Network, Row
from freqmaps.inference.estimates import Z95
from freqmaps.inference.proportions import wilson
from freqmaps.spectra.bands import ring_edges, rings
from freqmaps.spectra.transforms import frequencies

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from freqmaps.results.reader import Inputs
    from freqmaps.stores.selection import Samples

    Frequencies = NDArray[np.int64]

NEEDS = ()
RANGES = {"norm": "(0, 1000)", "images": "[1, 1e9)", "bands": "[1, 1000)", "highest": "[0, 1e6)"}
TINY = {"norm": 1.0, "images": 5, "bands": 3}

#: Numbers in a batch of perturbed images, by kind of device.
_BATCH_NUMBERS = {"cpu": 1 << 16, "cuda": 1 << 24}
#: Tells the stream of signs from others of the same seed.
_STREAM = 19


def compute(
    inputs: Inputs,
    network: Network,
    *,
    seed: int,
    norm: float = 4.0,
    images: int | None = 1000,
    bands: int = 8,
    highest: int | None = None,
    clip: bool = False,
) -> Evaluated:
    """Return the error rate under each basis vector, and its means over rings and over low and high frequencies.

    Parameters
    ----------
    inputs, network
        The results (none is read); the network.
    seed
        Of the signs. They belong to the sample, the channel and the frequency.
    norm
        v, the ℓ2 norm of what is added to each channel, for images in [0, 1]; the paper has 4 for 32×32.
    images
        How many of the run's samples, from the first; None: all.
    bands
        Rings of frequencies.
    highest
        The largest |ky| and |kx| that are computed, in cycles per image; None: the whole plane.
    clip
        Whether perturbed images are clipped to [0, 1].

    Returns
    -------
    Evaluated
        Rows: ``measure`` ``error``, ``frequencies`` ``none`` (clean images, Wilson's interval), ``all``, ``low`` (at
        most half the largest radius that was computed), ``high`` (above), and ``ring`` with its bounds ``from`` and
        ``to`` in cycles per image; ``count``: how many frequencies. Values are means over images of the share of
        frequencies at which the image is misclassified, with a normal interval, cut at 0 and 1. ``measure``
        ``difference``: the error at high less that at low frequencies, image by image. Arrays over ``ky, kx`` (signed
        frequencies): ``error`` in [0, 1], and the bounds of Wilson's interval ``low`` and ``high``.
    """
    n = len(network.samples.ids) if images is None else min(images, len(network.samples.ids))
    samples = network.samples.at(np.arange(n))
    height, width = samples.images.shape[2:]
    ky, kx = (_within(size, highest) for size in (height, width))
    half, place = half_plane(ky, kx, height, width)
    wrong = _wrong(network, samples, half, norm=norm, clip=clip, seed=seed)[:, place]
    clean = network.predict(samples.images) != samples.labels
    index = rings(height, width, bands)[np.ix_(ky + height // 2, kx + width // 2)]
    rows = [_clean(clean), *_means(wrong, np.hypot(ky[:, None], kx[None]))]
    rows += _by_ring(wrong, index, ring_edges(height, width, bands))
    return Evaluated(rows, arrays=_arrays(wrong, ky, kx))


def _within(size: int, highest: int | None) -> Frequencies:
    every = frequencies(size)
    return every if highest is None else every[abs(every) <= highest]


def half_plane(ky: Frequencies, kx: Frequencies, height: int, width: int) -> tuple[Frequencies, NDArray[np.int64]]:
    """Return one of each pair of opposite frequencies, and which of them stands for each place of the plane.

    Parameters
    ----------
    ky, kx
        Signed frequencies of the plane's rows and columns.
    height, width
        Of the images: at even sizes −n/2 is opposite to itself.

    Returns
    -------
    tuple
        (m, 2) pairs of ky and kx, and (len(ky), len(kx)) indices into them.
    """
    y, x = (a.ravel() for a in np.meshgrid(ky, kx, indexing="ij"))
    own, opposite = (y % height) * width + x % width, (-y % height) * width + -x % width
    first, place = np.unique(np.minimum(own, opposite), return_inverse=True)
    chosen = np.stack(np.divmod(first, width), axis=1)
    return chosen, place.reshape(len(ky), len(kx))


def basis_vectors(chosen: Frequencies, height: int, width: int) -> NDArray[np.float64]:
    """Return the basis vectors of some frequencies: (m, height, width) float64, each of ℓ2 norm 1.

    Parameters
    ----------
    chosen
        (m, 2) frequencies ky and kx in cycles per image, of any sign.
    height, width
        Of the images.
    """
    y, x = np.arange(height)[:, None], np.arange(width)[None]
    ky, kx = chosen[:, 0, None, None], chosen[:, 1, None, None]
    # Modulo the sizes in whole numbers, so that a zero of the cosine is exact whatever the frequency.
    waves = np.cos(2 * np.pi * ((ky * y % height) / height + (kx * x % width) / width))
    return np.asarray(waves / np.linalg.norm(waves, axis=(1, 2), keepdims=True))


def signs(seed: int, position: int, count: int, channels: int) -> NDArray[np.float32]:
    """Return −1 or 1 for each basis vector and channel of a sample, (count, channels), by its place in the dataset."""
    drawn = np.random.default_rng([seed % 2**64, _STREAM, position]).integers(0, 2, (count, channels))
    return (2 * drawn - 1).astype(np.float32)


def _wrong(
    network: Network, samples: Samples, half: Frequencies, *, norm: float, clip: bool, seed: int
) -> NDArray[np.bool_]:
    """Return which images are misclassified under which basis vector, (n, m)."""
    device, shape = network.device, samples.images.shape[1:]
    added = torch.from_numpy((norm * basis_vectors(half, *shape[1:])).astype(np.float32)).to(device)
    size = max(1, _BATCH_NUMBERS.get(device.type, 1 << 20) // int(np.prod(shape)))
    wrong = np.zeros((len(samples.ids), len(half)), bool)
    with frozen(network.classifier, device), torch.no_grad():
        # As many whole images as fit with all basis vectors, or one with a part of them.
        several = max(1, size // len(half))
        for first in range(0, len(wrong), several):
            rows = slice(first, first + several)
            drawn = [signs(seed, int(at), len(half), shape[0]) for at in samples.positions[rows]]
            sign = torch.from_numpy(np.stack(drawn)).to(device)[..., None, None]
            images = torch.from_numpy(samples.images[rows]).to(device)[:, None]
            for start in range(0, len(half), size):
                part = slice(start, start + size)
                perturbed = (images + sign[:, part] * added[part, None]).flatten(0, 1)
                seen = _classes(network, perturbed.clamp(0, 1) if clip else perturbed)
                wrong[rows, part] = seen.reshape(len(drawn), -1).cpu().numpy() != samples.labels[rows, None]
    return wrong


def _classes(network: Network, images: Tensor) -> Tensor:
    logits = in_parts(network.classifier, images)
    if not bool(logits.isfinite().all()):
        raise FreqmapsError("the network's logits on perturbed images are NaN or infinite; train it again")
    return logits.argmax(dim=1)


def _clean(wrong: NDArray[np.bool_]) -> Row:
    low, high = wilson(int(wrong.sum()), len(wrong))
    return _row("none", "error", (float(wrong.mean()), low, high), len(wrong))


def _means(wrong: NDArray[np.bool_], radius: NDArray[np.float64]) -> Iterator[Row]:
    """Yield the rows of all, of low and of high frequencies, and the difference of the latter two."""
    flat, low = wrong.reshape(len(wrong), -1), (radius <= radius.max() / 2).ravel()
    yield _mean("all", flat)
    yield _mean("low", flat[:, low], to=float(radius.max() / 2))
    yield _mean("high", flat[:, ~low], **{"from": float(radius.max() / 2)})
    if low.all():  # a single frequency
        yield _row("high less low", "difference", (nan, nan, nan), 0)
        return
    apart = flat[:, ~low].mean(axis=1) - flat[:, low].mean(axis=1)
    yield _row("high less low", "difference", _normal(apart, (-1.0, 1.0)), len(flat), count=flat.shape[1])


def _by_ring(wrong: NDArray[np.bool_], index: NDArray[np.int64], edges: NDArray[np.float64]) -> Iterator[Row]:
    for ring in np.unique(index):
        yield _mean("ring", wrong[:, index == ring], **{"from": float(edges[ring]), "to": float(edges[ring + 1])})


def _mean(name: str, wrong: NDArray[np.bool_], **bounds: Any) -> Row:
    """Return the row of some frequencies, (n, count): each image's share is one value of the mean."""
    if not wrong.shape[1]:
        return _row(name, "error", (nan, nan, nan), 0, **bounds)
    return _row(name, "error", _normal(wrong.mean(axis=1), (0.0, 1.0)), len(wrong), count=wrong.shape[1], **bounds)


def _normal(values: NDArray[np.float64], limits: tuple[float, float]) -> tuple[float, float, float]:
    mean, n = float(values.mean()), len(values)
    error = float(values.std(ddof=1)) / sqrt(n) if n > 1 else nan
    low, high = (float(np.clip(mean + sign * Z95 * error, *limits)) for sign in (-1, 1))
    return mean, low, high


def _row(name: str, measure: str, estimate: tuple[float, float, float], n: int, **more: Any) -> Row:
    value, low, high = estimate
    row = {"frequencies": name, "measure": measure, "value": value, "n": n, "low": low, "high": high}
    return row | {"from": nan, "to": nan, "count": 0} | more


def _arrays(wrong: NDArray[np.bool_], ky: Frequencies, kx: Frequencies) -> xr.Dataset:
    n, hits = len(wrong), wrong.sum(axis=0)
    bounds = np.array([wilson(count, n) for count in range(n + 1)])[hits]
    planes = {"error": hits / n, "low": bounds[..., 0], "high": bounds[..., 1]}
    return xr.Dataset({name: (("ky", "kx"), plane) for name, plane in planes.items()}, {"ky": ky, "kx": kx})

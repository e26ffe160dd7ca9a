"""Spectra of input gradients, and their low-frequency bias B_low, of a network or along a training (C22, section 3.1).

The Jacobian of the paper is J = ∇ₓ of the cross-entropy of an image's true class, taken in eval mode. Three readings of
a network's B_low are measured beside each other: see :func:`compute`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import nan, sqrt
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
import xarray as xr
from torch.nn import functional as F

from freqmaps.attacks._network import frozen
from freqmaps.core.device import in_parts
from freqmaps.core.errors import FreqmapsError
from freqmaps.evaluation._api import Evaluated, Network, Networks, Row
from freqmaps.inference.bootstrap import RESAMPLES, percentiles
from freqmaps.inference.estimates import Z95
from freqmaps.spectra.low_bias import Quadrant, image_low_bias, log_low_bias, low_quadrant
from freqmaps.spectra.transforms import frequencies, spectrum

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from freqmaps.results.reader import Inputs
    from freqmaps.stores.selection import Samples

    Values = NDArray[np.float64]

NEEDS = ()
SNAPSHOTS = True
RANGES = {
    "images": "[2, 1e9)", "magnitude_epsilon": "[0, 1000)", "exponent_epsilon": "[0, 1)", "examples": "[0, 1e4)",
}  # fmt: skip
TINY = {"images": 6, "examples": 2}

#: What rows are about.
JACOBIANS, IMAGES = "jacobians", "images"
#: What was averaged over images before B_low was taken.
GRADIENTS, MAGNITUDES, NONE = "gradients", "magnitudes", "none"

#: Pixels, of all channels, whose gradients and spectra are held at once.
_BLOCK_NUMBERS = 1 << 22
#: Draws of the bootstrap made at once, and what tells their stream from others of the same seed.
_DRAWS, _STREAM = 64, 22


def compute(
    inputs: Inputs,
    networks: Networks,
    *,
    seed: int,
    images: int | None = None,
    quadrant: Literal["first", "second", "mean"] = "first",
    magnitude_epsilon: float = 1e-5,
    exponent_epsilon: float = 1e-5,
    examples: int = 8,
) -> Evaluated:
    """Return log B_low of Jacobians and of images, and mean spectra.

    Parameters
    ----------
    inputs, networks
        The results (none is read); the snapshots, or the finished network.
    seed
        Of the bootstrap.
    images
        How many of the run's samples are looked at, evenly spaced; None: all.
    quadrant, magnitude_epsilon, exponent_epsilon
        See :mod:`freqmaps.spectra.low_bias`; the defaults are those of the paper's released code.
    examples
        How many images, evenly spaced, to keep with their Jacobians of the last network.

    Returns
    -------
    Evaluated
        Rows: ``step`` (empty for a finished network); ``spectra_of``, ``jacobians`` or ``images``; ``measure``:
        ``log_low_bias``, and of Jacobians ``norm``, the mean ℓ2 norm. ``averaged`` says what of all images was averaged
        before B_low was taken: ``gradients``, the Jacobians themselves, as the released code measures networks (without
        an interval); ``magnitudes``, |F J|, as it measures batches in training, with a bootstrap interval over images;
        ``none``: the mean of each image's log B_low, with its normal interval and ``sd``, without those whose Jacobian
        is 0 throughout (``dropped``). Logarithms are natural. Arrays: over ``step, ky, kx`` the mean |F J| over images
        and channels (``spectrum``), its standard error over images (``spectrum_error``), and |F| of the mean Jacobian
        (``gradient_spectrum``); over ``ky, kx`` the mean |F x| (``image_spectrum``); of the last network
        ``example_image`` and ``example_gradient`` with their places in the dataset and labels.
    """
    bias = Bias(quadrant, magnitude_epsilon, exponent_epsilon)
    samples = _chosen(networks.samples, images)
    shown = _spread(len(samples.ids), examples)
    own = _measured(((b, samples.images[b]) for b in _blocks(samples)), samples, shown, bias)
    about_images = _rows(own, bias, seed, IMAGES)
    rows: list[Row] = []
    measured: list[Measured] = []
    for at, network in networks:
        jacobians = _measured(_jacobians(network, samples), samples, shown, bias)
        step = {"step": "" if at is None else at}
        rows += [row | step for row in (*_rows(jacobians, bias, seed, JACOBIANS), *about_images)]
        measured.append(jacobians)
    return Evaluated(rows, arrays=_arrays(list(networks.folders), measured, own, samples, shown))


@dataclass(frozen=True)
class Bias:
    """How B_low is read; the parameters are those of :func:`compute`."""

    quadrant: Quadrant
    magnitude_epsilon: float
    exponent_epsilon: float

    def of(self, magnitudes: Values) -> Values:
        """Return log B_low of quadrants (..., rows, columns)."""
        return log_low_bias(
            magnitudes, magnitude_epsilon=self.magnitude_epsilon, exponent_epsilon=self.exponent_epsilon
        )


@dataclass(frozen=True)
class Measured:
    """What was found of one network's Jacobians, or of the images.

    Attributes
    ----------
    quadrants
        (n, rows, columns): each image's magnitudes, averaged over channels, lowest frequency first.
    mean
        (c, h, w): over images.
    norms
        (n,): ℓ2.
    plane, error
        (h, w): the mean of |F| over images and channels, origin in the middle, and its standard error over images.
    kept
        (examples, c, h, w): those that are shown.
    """

    quadrants: Values
    mean: Values
    norms: Values
    plane: Values
    error: Values
    kept: NDArray[np.float32]


def _measured(
    blocks: Iterator[tuple[slice, NDArray[np.float32]]], samples: Samples, shown: NDArray[np.int64], bias: Bias
) -> Measured:
    n, shape = len(samples.ids), samples.images.shape[1:]
    quadrants, norms, kept = [], [], np.zeros((len(shown), *shape), dtype=np.float32)
    total, plane, squares = np.zeros(shape), np.zeros(shape[1:]), np.zeros(shape[1:])
    for place, values in blocks:
        quadrants.append(low_quadrant(values, bias.quadrant).mean(axis=1))
        norms.append(np.sqrt((values.astype(np.float64) ** 2).sum(axis=(1, 2, 3))))
        each = spectrum(values).mean(axis=1)
        total, plane, squares = total + values.sum(0, dtype=np.float64), plane + each.sum(0), squares + (each**2).sum(0)
        here = (shown >= place.start) & (shown < place.stop)
        kept[here] = values[shown[here] - place.start]
    mean = plane / n
    # Rounding may leave the difference of two sums below 0.
    variance = np.maximum(squares / n - mean**2, 0) * n / (n - 1) if n > 1 else np.full(shape[1:], nan)
    return Measured(np.concatenate(quadrants), total / n, np.concatenate(norms), mean, np.sqrt(variance / n), kept)


def _jacobians(network: Network, samples: Samples) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield the gradient of each image's cross-entropy in its pixels, block by block."""
    for place in _blocks(samples):
        images = torch.from_numpy(samples.images[place]).to(network.device)
        labels = torch.from_numpy(samples.labels[place]).to(network.device)

        def gradient(rows: Tensor, images: Tensor = images, labels: Tensor = labels) -> Tensor:
            asking = images[rows].requires_grad_()
            loss = F.cross_entropy(network.classifier(asking).float(), labels[rows], reduction="sum")
            return torch.autograd.grad(loss, asking)[0].float()

        with frozen(network.classifier, network.device):
            gradients = in_parts(gradient, torch.arange(len(images), device=network.device)).cpu().numpy()
        bad = ~np.isfinite(gradients).all(axis=(1, 2, 3))
        if bad.any():
            raise FreqmapsError(
                f"jacobian_spectra: the gradient of {int(bad.sum())} images is not finite, first that of "
                f"'{samples.ids[place.start + int(bad.argmax())]}'; the network's gradients overflow there"
            )
        yield place, gradients


def _rows(measured: Measured, bias: Bias, seed: int, spectra_of: str) -> list[Row]:
    n, alive = len(measured.norms), measured.norms > 0
    low, high = percentiles(bias.of(_resampled(measured.quadrants, seed)))
    averaged = measured.quadrants.mean(axis=0)
    base = {"spectra_of": spectra_of, "measure": "log_low_bias", "dropped": 0, "sd": nan}
    rows: list[Row] = [
        base | {"averaged": MAGNITUDES, "value": float(bias.of(averaged)), "n": n, "low": low, "high": high},
        base | {"averaged": NONE} | _average(bias.of(measured.quadrants[alive])) | {"dropped": int((~alive).sum())},
    ]
    if spectra_of == JACOBIANS:
        value = image_low_bias(
            measured.mean[None], quadrant=bias.quadrant, magnitude_epsilon=bias.magnitude_epsilon,
            exponent_epsilon=bias.exponent_epsilon,
        )  # fmt: skip
        rows.insert(0, base | {"averaged": GRADIENTS, "value": float(value), "n": n, "low": nan, "high": nan})
        rows.append(base | {"averaged": NONE} | _average(measured.norms) | {"measure": "norm"})
    return rows


def _average(values: Values) -> Row:
    n = len(values)
    mean, sd = (float(values.mean()) if n else nan), (float(values.std(ddof=1)) if n > 1 else nan)
    half = Z95 * sd / sqrt(n) if n > 1 else nan
    return {"value": mean, "n": n, "low": mean - half, "high": mean + half, "sd": sd}


def _resampled(quadrants: Values, seed: int) -> Values:
    """Return means of quadrants over images drawn with replacement, (draws, rows, columns)."""
    n, rng = len(quadrants), np.random.default_rng([seed, _STREAM])
    flat, means = quadrants.reshape(n, -1), []
    for start in range(0, RESAMPLES, _DRAWS):
        # How often each image is drawn is all that a mean needs: gathering the images would take n times the memory.
        counts = rng.multinomial(n, np.full(n, 1 / n), size=min(_DRAWS, RESAMPLES - start))
        means.append(counts @ flat / n)
    return np.concatenate(means).reshape(-1, *quadrants.shape[1:])


def _chosen(samples: Samples, count: int | None) -> Samples:
    return samples if count is None else samples.at(_spread(len(samples.ids), count))


def _spread(n: int, count: int) -> NDArray[np.int64]:
    return np.linspace(0, n - 1, min(n, count)).round().astype(np.int64)


def _blocks(samples: Samples) -> Iterator[slice]:
    size = max(1, _BLOCK_NUMBERS // max(1, samples.images[:1].size))
    yield from (slice(i, min(i + size, len(samples.ids))) for i in range(0, len(samples.ids), size))


def _arrays(
    steps: list[int | None], measured: list[Measured], own: Measured, samples: Samples, shown: NDArray[np.int64]
) -> xr.Dataset:
    """Put the means of all networks together, and the examples of the last one; a finished network has step -1."""
    height, width = own.plane.shape
    plane = {"ky": frequencies(height), "kx": frequencies(width)}
    of_steps, few = ("step", *plane), {"missing": "no standard error, where there is one image"}
    variables: dict[str, Any] = {
        "spectrum": (of_steps, np.stack([at_step.plane for at_step in measured])),
        "spectrum_error": (of_steps, np.stack([at_step.error for at_step in measured]), few),
        "gradient_spectrum": (of_steps, np.stack([spectrum(at_step.mean).mean(axis=0) for at_step in measured])),
        "image_spectrum": (tuple(plane), own.plane),
    }
    if len(shown):
        image = ("example", "channel", "y", "x")
        variables |= {
            "example": (("example",), [samples.ids[i] for i in shown]),
            "example_image": (image, samples.images[shown]),
            "example_gradient": (image, measured[-1].kept),
            "example_position": (("example",), samples.positions[shown]),
            "example_label": (("example",), samples.labels[shown]),
        }
    return xr.Dataset(variables, plane | {"step": [-1 if s is None else s for s in steps]})

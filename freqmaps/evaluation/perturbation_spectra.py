"""Spectra of the perturbations of gradient attacks on a network, or on the snapshots of a training (F21, section 4).

At each snapshot fresh images are drawn and attacked; the attacks need no stores, so that another budget trains nothing
again. What the share of low frequencies is held against is that of the same images.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import nan, sqrt
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import xarray as xr

from freqmaps.attacks._gradient import Gradient, Method, Norm, perturbations
from freqmaps.core.errors import FreqmapsError, nearest
from freqmaps.evaluation._api import Evaluated, Network, Networks, Row
from freqmaps.inference.estimates import Z95
from freqmaps.inference.proportions import wilson
from freqmaps.spectra.low_bias import log_low_bias, low_quadrant
from freqmaps.spectra.low_pass import Shape, low_pass_mask
from freqmaps.spectra.perturbations import (
    lfc_ratio,
    log_difference_parts,
    log_spectrum_difference,
    middle_cutoff,
    relative_dct_change,
)
from freqmaps.spectra.transforms import frequencies, spectrum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from freqmaps.results.reader import Inputs
    from freqmaps.stores.selection import Samples

    Values = NDArray[np.float64]

NEEDS = ()
SNAPSHOTS = True
LIBRARIES = ("foolbox", "eagerpy")
RANGES = {
    "epsilon": "(0, 1000)", "step": "(0, 1000)", "steps": "[1, 1e6)", "images": "[2, 1e9)", "cutoff": "[0, 1e6)",
    "examples": "[0, 1e4)",
}  # fmt: skip
TINY = {"images": 6, "steps": 2, "examples": 2}

#: Rows about images, not about perturbations, have this method and norm.
IMAGES = "images"
#: Tells the stream that draws images from others of the same seed.
_STREAM = 21


def compute(
    inputs: Inputs,
    networks: Networks,
    *,
    seed: int,
    methods: list[Literal["fgm", "pgd"]] | None = None,
    norms: list[Literal["l2", "linf"]] | None = None,
    loss: Literal["cross_entropy", "mse"] = "cross_entropy",
    epsilon: float = 0.03137254901960784,
    step: float = 0.01568627450980392,
    steps: int = 40,
    random_start: bool = True,
    clip: bool = True,
    images: int = 100,
    cutoff: float | None = None,
    shape: Literal["square", "radial"] = "square",
    examples: int = 10,
) -> Evaluated:
    """Return, for each snapshot, method and norm, the share of low frequencies and the mean spectra of perturbations.

    Parameters
    ----------
    inputs, networks
        The results (none is read); the snapshots, or the finished network.
    seed
        Of the images drawn and of random starts.
    methods, norms
        Which attacks: ``fgm`` (in linf: FGSM), ``pgd``; ``l2``, ``linf``. None: both.
    loss
        What the attacks raise: cross-entropy, or the squared distance of the logits from one-hot labels.
    epsilon, step, steps
        The budget, and of PGD the size of a step and how many, for images in [0, 1].
    random_start
        Whether PGD starts at a random point within the budget.
    clip
        Whether perturbed images stay in [0, 1]. Without, δ is as in theory (F21, eq. 6).
    images
        How many of the run's samples are drawn anew for each snapshot, without replacement; all if there are fewer.
    cutoff, shape
        k_c of the share of low frequencies, and what it bounds; None: half of the highest frequency.
    examples
        Of the last network, how many drawn images with their perturbations to keep as arrays.

    Returns
    -------
    Evaluated
        Rows: ``step`` (empty for a finished network); ``attack`` (``images``: of the clean images) and ``norm``;
        ``measure``: ``lfc_ratio`` (mean over images, with its normal interval; ``sd``; ``dropped``, perturbations that
        are 0 throughout), ``log_difference_low`` and ``log_difference_high`` (means of the difference of log-spectra at
        the frequencies that the share counts, and at the others, in dB), ``log_difference_rise`` (high less low, image
        by image), ``accuracy`` (of clean and of perturbed images, Wilson's interval), ``size`` (mean norm of the
        perturbation in ``norm``), ``log_low_bias`` (C22's log B_low, of images and of perturbations, as its released
        code measures changes of images: of |F δ| averaged over channels and images, in natural logarithms, with the
        interval of the jackknife over images; see :mod:`freqmaps.spectra.low_bias`; without perturbations that are 0
        throughout, ``dropped``); ``cutoff``; ``area``, the share of all frequencies that the cut-off keeps. Arrays
        over ``step, attack, norm, ky, kx``: means over images and channels of ``|F δ|`` (``spectrum``), of the
        difference of log-spectra in dB (``log_difference``) and, over ``row, column``, of the relative change of the
        DCT (``relative_dct``), each with its standard error over images (``_error``); ``image_spectrum``, the mean ``|F
        x|``; of the last network ``example_image`` and ``example_perturbation``, with their places in the dataset and
        labels (``example_position``, ``example_label``).
    """
    plans = [
        Gradient(m, n, loss, epsilon, step, steps, random_start, clip)
        for m, n in itertools.product(_chosen(methods, Method, "methods"), _chosen(norms, Norm, "norms"))
    ]
    limit = float(middle_cutoff(*networks.samples.images.shape[2:])) if cutoff is None else cutoff
    rows: list[Row] = []
    measured: list[_Seen] = []
    for number, (at, network) in enumerate(networks):
        drawn = _drawn(network.samples, images, [seed, _STREAM, number])
        seen = _see(network, drawn, plans, seed)
        area = float(low_pass_mask(drawn.images.shape[2], drawn.images.shape[3], limit, shape).mean())
        place = {"step": "" if at is None else at, "cutoff": limit, "area": area}
        rows += [row | place for row in _rows(network, seen, limit, shape)]
        # Images are kept of the last network alone.
        measured = [*[earlier.without_images() for earlier in measured], seen]
    return Evaluated(rows, arrays=_arrays(list(networks.folders), measured, examples))


def _chosen(wanted: Sequence[str] | None, of: Any, parameter: str) -> tuple[Any, ...]:
    allowed = get_args(of)
    for name in wanted or ():
        if name not in allowed:
            raise FreqmapsError(f"perturbation_spectra: {parameter} has '{name}'; {nearest(name, allowed)}")
    return allowed if wanted is None else tuple(wanted)


def _drawn(samples: Samples, count: int, seed: list[int]) -> Samples:
    order = np.random.default_rng(seed).permutation(len(samples.ids))[:count]
    return samples.at(np.sort(order))


@dataclass
class _Seen:
    """What was found of one network: images, perturbations by method and norm, and mean spectra."""

    samples: Samples | None
    delta: dict[tuple[str, str], NDArray[np.float32]]
    means: dict[str, dict[tuple[str, str], tuple[Values, Values]]]

    def without_images(self) -> _Seen:
        """Return the means alone."""
        return _Seen(None, {}, self.means)


def _see(network: Network, drawn: Samples, plans: Sequence[Gradient], seed: int) -> _Seen:
    clean = drawn.images
    means: dict[str, dict[tuple[str, str], tuple[Values, Values]]] = {
        name: {} for name in ("image_spectrum", "spectrum", "log_difference", "relative_dct")
    }
    means["image_spectrum"][IMAGES, ""] = _mean(spectrum(clean))
    deltas: dict[tuple[str, str], NDArray[np.float32]] = {}
    for plan in plans:
        delta = perturbations(
            network.classifier, clean, drawn.labels, plan, seed=seed, positions=drawn.positions, device=network.device
        )
        key = (plan.method, plan.norm)
        deltas[key] = delta
        changed = clean.astype(np.float64) + delta
        means["spectrum"][key] = _mean(spectrum(delta))
        means["log_difference"][key] = _mean(log_spectrum_difference(clean, changed))
        means["relative_dct"][key] = _mean(relative_dct_change(clean, changed))
    return _Seen(drawn, deltas, means)


def _mean(planes: Values) -> tuple[Values, Values]:
    """Return the mean over images and channels of (n, c, h, w), and its standard error over images, (h, w) each."""
    each = planes.mean(axis=1)
    return each.mean(axis=0), each.std(axis=0, ddof=1) / sqrt(len(each))


def _rows(network: Network, seen: _Seen, cutoff: float, shape: Shape) -> Iterator[Row]:
    assert seen.samples is not None
    clean, labels = seen.samples.images, seen.samples.labels
    yield _ratio(lfc_ratio(clean, cutoff, shape)) | {"attack": IMAGES, "norm": ""}
    yield _low_bias(clean) | {"attack": IMAGES, "norm": ""}
    yield _accuracy(network.predict(clean) == labels) | {"attack": IMAGES, "norm": ""}
    for (method, norm), delta in seen.delta.items():
        names = {"attack": method, "norm": norm}
        yield _ratio(lfc_ratio(delta, cutoff, shape)) | names
        yield _low_bias(delta) | names
        yield from (
            _average(values, f"log_difference_{part}") | names for part, values in _changes(clean, delta, cutoff, shape)
        )
        yield _accuracy(network.predict((clean + delta).astype(np.float32)) == labels) | names
        flat = np.abs(delta.reshape(len(delta), -1).astype(np.float64))
        yield _average(flat.max(axis=1) if norm == "linf" else np.sqrt((flat**2).sum(axis=1)), "size") | names


def _changes(
    clean: NDArray[np.float32], delta: NDArray[np.float32], cutoff: float, shape: Shape
) -> Iterator[tuple[str, Values]]:
    """Yield each image's mean difference of log-spectra at low frequencies, at the others, and their difference."""
    low, high = log_difference_parts(clean, clean.astype(np.float64) + delta, cutoff, shape)
    yield from (("low", low), ("high", high), ("rise", high - low))


def _low_bias(values: NDArray[np.float32]) -> Row:
    """Return log B_low of the mean magnitudes of (n, c, h, w) over images and channels, with its jackknife interval."""
    kept = values[values.any(axis=(1, 2, 3))]
    n = len(kept)
    row = {"measure": "log_low_bias", "n": n, "sd": nan, "dropped": len(values) - n}
    if not n:
        return row | {"value": nan, "low": nan, "high": nan}
    each = low_quadrant(kept).mean(axis=1)
    value, half = float(log_low_bias(each.mean(axis=0))), nan
    if n > 1:
        without = log_low_bias((each.sum(axis=0) - each) / (n - 1))
        half = Z95 * sqrt((n - 1) / n * float(((without - without.mean()) ** 2).sum()))
    return row | {"value": value, "low": value - half, "high": value + half}


def _ratio(values: Values) -> Row:
    kept = values[np.isfinite(values)]
    return _average(kept, "lfc_ratio") | {"dropped": len(values) - len(kept)}


def _average(values: Values, measure: str) -> Row:
    n = len(values)
    mean = float(values.mean()) if n else nan
    sd = float(values.std(ddof=1)) if n > 1 else nan
    half = Z95 * sd / sqrt(n) if n > 1 else nan
    interval = {"low": mean - half, "high": mean + half}
    return {"measure": measure, "value": mean, "n": n} | interval | {"sd": sd, "dropped": 0}


def _accuracy(right: NDArray[np.bool_]) -> Row:
    hits, n = int(right.sum()), len(right)
    low, high = wilson(hits, n)
    return {"measure": "accuracy", "value": hits / n, "n": n, "low": low, "high": high, "sd": nan, "dropped": 0}


def _arrays(steps: Sequence[int | None], measured: Sequence[_Seen], examples: int) -> xr.Dataset:
    """Put the means of all networks together, and some images of the last one; a finished network has step -1."""
    height, width = next(iter(measured[0].means["image_spectrum"].values()))[0].shape
    keys = list(measured[0].means["spectrum"])
    methods, norms = (list(dict.fromkeys(key[i] for key in keys)) for i in (0, 1))
    plane = {"ky": frequencies(height), "kx": frequencies(width)}
    table = {"row": np.arange(height), "column": np.arange(width)}
    coords: dict[str, Any] = (
        plane | table | {"step": [-1 if s is None else s for s in steps], "attack": methods, "norm": norms}
    )
    variables = _examples(measured[-1], examples, methods, norms)
    for name, own in (("spectrum", plane), ("log_difference", plane), ("relative_dct", table)):
        for number, ending in enumerate(("", "_error")):
            values: Any = [
                [[at_step.means[name][m, n][number] for n in norms] for m in methods] for at_step in measured
            ]
            variables[name + ending] = (("step", "attack", "norm", *own), np.array(values))
    for number, ending in enumerate(("", "_error")):
        values = [at_step.means["image_spectrum"][IMAGES, ""][number] for at_step in measured]
        variables[f"image_spectrum{ending}"] = (("step", *plane), np.array(values))
    return xr.Dataset(variables, coords)


def _examples(seen: _Seen, count: int, methods: Sequence[str], norms: Sequence[str]) -> dict[str, Any]:
    if not count or seen.samples is None:
        return {}
    rows = np.linspace(0, len(seen.samples.ids) - 1, min(count, len(seen.samples.ids))).round().astype(int)
    image = ("example", "channel", "y", "x")
    delta = np.stack([np.stack([seen.delta[m, n][rows] for n in norms]) for m in methods])
    return {
        "example": (("example",), [seen.samples.ids[i] for i in rows]),
        "example_image": (image, seen.samples.images[rows]),
        "example_perturbation": (("attack", "norm", *image), delta),
        "example_position": (("example",), seen.samples.positions[rows]),
        "example_label": (("example",), seen.samples.labels[rows]),
    }

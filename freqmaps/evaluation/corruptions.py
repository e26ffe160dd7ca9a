"""Accuracy under common corruptions by type and severity, and where in the spectrum each corruption lies.

Hendrycks & Dietterich, "Benchmarking neural network robustness to common corruptions and perturbations", ICLR 2019;
Chan, Ong & Tan, "How does frequency bias affect the robustness of neural image classifiers against common corruption
and adversarial perturbations?", IJCAI 2022, section 4.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr

from freqmaps.core import components
from freqmaps.core.errors import FreqmapsError
from freqmaps.corruptions import _official
from freqmaps.corruptions._api import benchmark_of, corrupted
from freqmaps.evaluation._api import Evaluated, Network, Row, accuracy
from freqmaps.models import predict_logits
from freqmaps.spectra.transforms import frequencies, spectrum
from freqmaps.stores.selection import to_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from freqmaps.results.reader import Inputs
    from freqmaps.stores.selection import Samples

    #: Corrupted images, the same ones without corruption (where they are known), labels and ids.
    Part = tuple[NDArray[np.float32], NDArray[np.float32] | None, NDArray[np.int64], Sequence[str]]

NEEDS = ()
UNKEYED = ("root",)
#: Says at every dry run what the files below ``root`` are.
IDENTITY = "freqmaps.corruptions._official:identity"
#: Which parameter names components, and of which kind.
COMPONENTS = {"corruptions": "corruption"}
LIBRARIES = ("numpy", "scipy", "pillow")
RANGES = {"severities": "[1, 5]", "draw": "[0, 2147483648)"}
TINY = {"corruptions": ["gaussian_noise", "fog", "contrast"], "severities": [1, 5]}

#: The row of images without a corruption.
NONE = "none"
_SEVERITIES = (1, 2, 3, 4, 5)
#: Values of images that are held at once.
_TOGETHER = 3 << 21


def compute(
    inputs: Inputs,
    network: Network,
    *,
    seed: int,
    corruptions: list[str] | None = None,
    severities: list[int] | None = None,
    constants: Literal["by_size", "cifar", "tiny_imagenet", "imagenet"] = "by_size",
    draw: int = 0,
    root: str | None = None,
) -> Evaluated:
    """Return the accuracy for each corruption and severity, and the mean spectrum of what each changes.

    Parameters
    ----------
    inputs, network
        The results (none is read); the network.
    seed
        Not used: all networks shall see the same images, and ``seed`` is another one for each.
    corruptions
        Names of corruptions; None: all there are.
    severities
        1 to 5; None: all.
    constants
        The benchmark whose constants are taken; ``by_size``: :func:`freqmaps.corruptions._api.benchmark_of`.
    draw
        Seed of the corruptions' random numbers.
    root
        A folder with the files of CIFAR-10-C, CIFAR-100-C, Tiny-ImageNet-C or ImageNet-C, which are then read, and
        nothing is made; ``constants`` and ``draw`` do not matter then. Where the files hold all of the run's samples by
        their ids, these are taken, else all that the files hold.

    Returns
    -------
    Evaluated
        Rows: ``corruption``, ``group`` (``noise``, ``blur``, ``weather``, ``digital``, ``extra``), ``severity``,
        ``constants`` (a benchmark's name, or ``files``), and the accuracy; the first is of images without a corruption
        (``none``, severity 0). Arrays over ``corruption, severity, ky, kx``: ``difference_spectrum``, the mean over
        images and channels of ``|F(corrupted - clean)|``; NaN where the clean images are not known. Samples: for each
        image and corruption, under how many of the severities it is right; none where corruptions have other images.

    Raises
    ------
    FreqmapsError
        Files of other classes than the network's, or of other labels than the run's samples.
    """
    samples = network.samples
    levels = list(severities or _SEVERITIES)
    origin: _CorruptedHere | _Read
    if root is None:
        named = benchmark_of(min(samples.images.shape[2:])) if constants == "by_size" else constants
        names = components.names("corruption") if corruptions is None else corruptions
        origin = _CorruptedHere(samples, draw, named)
    else:
        named, names = "files", _official.present(root) if corruptions is None else corruptions
        origin = _Read(samples, root, _classes(network))
    clean = accuracy(network.predict(samples.images) == samples.labels, **_place(NONE, NONE, 0, "none"))
    rows, planes = [clean], np.empty((len(names), len(levels), *samples.images.shape[2:]))
    hits: dict[str, dict[str, int]] = {name: {} for name in names}
    for i, name in enumerate(names):
        group = str(components.find("corruption", name).constants["GROUP"])
        for j, level in enumerate(levels):
            right, ids, planes[i, j] = _under(network, origin.parts(name, level))
            for sample, hit in zip(ids, right.tolist(), strict=True):
                hits[name][sample] = hits[name].get(sample, 0) + hit
            rows.append(accuracy(right, **_place(name, group, level, named)))
    return Evaluated(rows, _by_sample(hits), _arrays(names, levels, planes))


def _by_sample(hits: Mapping[str, Mapping[str, int]]) -> list[Row]:
    """Return under how many severities of each corruption an image is right; empty if they are of several sets."""
    first = next(iter(hits.values()))
    if any(own.keys() != first.keys() for own in hits.values()):
        return []
    return [{"sample": sample} | {name: own[sample] for name, own in hits.items()} for sample in first]


def _classes(network: Network) -> int:
    return int(predict_logits(network.classifier, network.samples.images[:1], device=network.device).shape[1])


def _place(corruption: str, group: str, severity: int, constants: str) -> Row:
    return {"corruption": corruption, "group": group, "severity": severity, "constants": constants}


@dataclass(frozen=True)
class _CorruptedHere:
    """The run's samples, corrupted here."""

    samples: Samples
    draw: int
    benchmark: str

    def parts(self, name: str, severity: int) -> Iterator[Part]:
        """Yield the samples, some at a time."""
        samples = self.samples
        rows = max(1, _TOGETHER // max(1, samples.images[0].size))
        for start in range(0, len(samples.ids), rows):
            part = slice(start, start + rows)
            clean, positions = samples.images[part], samples.positions[part]
            images = corrupted(clean, name, severity, seed=self.draw, positions=positions, benchmark=self.benchmark)
            yield images, clean, samples.labels[part], samples.ids[part]


@dataclass(frozen=True)
class _Read:
    """Published images: of the run's samples where the files hold them all, else all that the files hold."""

    samples: Samples
    root: str
    classes: int

    def parts(self, name: str, severity: int) -> Iterator[Part]:
        """Yield the images, some at a time."""
        samples = self.samples
        rows = {sample: row for row, sample in enumerate(samples.ids)}
        channels, size = samples.images.shape[1:3]
        largest = -1
        for block in _official.blocks(self.root, name, severity, channels=channels, size=size, wanted=samples.ids):
            mine = [rows[sample] for sample in block.sample if sample in rows]
            if len(mine) == len(block.sample):
                if _official.is_arrays(self.root) and (block.label != samples.labels[mine]).any():
                    raise FreqmapsError(
                        f"labels.npy in '{self.root}' does not have the labels of the run's samples; give the files of "
                        "the run's dataset"
                    )
                yield to_unit(block.image), samples.images[mine], samples.labels[mine], block.sample
            else:
                largest = max(largest, int(block.label.max()))
                yield to_unit(block.image), None, block.label, block.sample
        if largest not in (-1, self.classes - 1):
            raise FreqmapsError(
                f"the files of '{name}' in '{self.root}' are of {largest + 1} classes and the network of "
                f"{self.classes}; give the files of the run's dataset"
            )


def _under(network: Network, parts: Iterator[Part]) -> tuple[NDArray[np.bool_], list[str], NDArray[np.float64]]:
    """Return which corrupted images are right, their ids, and the mean spectrum of the difference, (h, w)."""
    right: list[NDArray[np.bool_]] = []
    ids: list[str] = []
    total = np.zeros(network.samples.images.shape[2:])
    planes = 0
    for images, clean, labels, samples in parts:
        right.append(network.predict(images) == labels)
        ids += samples
        if clean is None:
            total[...] = np.nan
            continue
        total += spectrum(images.astype(np.float64) - clean).sum(axis=(0, 1))
        planes += images.shape[0] * images.shape[1]
    return np.concatenate(right), ids, total / max(1, planes)


def _arrays(names: Sequence[str], levels: Sequence[int], planes: NDArray[np.float64]) -> xr.Dataset:
    height, width = planes.shape[2:]
    coords = {"corruption": list(names), "severity": levels, "ky": frequencies(height), "kx": frequencies(width)}
    missing = {"missing": "the images without the corruption are not known"}
    return xr.Dataset({"difference_spectrum": (tuple(coords), planes, missing)}, coords)

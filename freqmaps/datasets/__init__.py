"""Datasets: raw files in many formats become one kind of store, which is all that later stages read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freqmaps.core.errors import FreqmapsError
from freqmaps.datasets._api import Block, Description

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

__all__ = ["Block", "Description", "Moments", "to_store_blocks", "write_store"]

# A dry run imports this package to describe datasets: numpy and xarray are imported where they are needed.


class Moments:
    """Mean and standard deviation per channel of images in [0, 1], block by block, in double precision.

    Parameters
    ----------
    channels
        Number of channels.
    """

    def __init__(self, channels: int) -> None:
        self._pixels = 0
        self._sum = [0.0] * channels
        self._squares = [0.0] * channels

    def add(self, images: NDArray[Any]) -> None:
        """Take in images (n, channel, y, x); uint8 in 0..255 or floats in [0, 1]."""
        import numpy as np

        for channel in range(images.shape[1]):
            values = images[:, channel]
            if values.dtype == np.uint8:  # exact: how often each grey value occurs
                counts = np.bincount(values.ravel(), minlength=256).astype(np.float64)
                greys = np.arange(256) / 255.0
                self._sum[channel] += float(counts @ greys)
                self._squares[channel] += float(counts @ greys**2)
            else:
                wide = values.astype(np.float64)
                self._sum[channel] += float(wide.sum())
                self._squares[channel] += float((wide**2).sum())
        self._pixels += int(images.shape[0] * images.shape[2] * images.shape[3])

    @property
    def mean(self) -> list[float]:
        """Mean of each channel."""
        return [total / self._pixels for total in self._sum]

    @property
    def std(self) -> list[float]:
        """Standard deviation (of the population) of each channel; 1 for a constant channel, so that it can divide."""
        variances = [s / self._pixels - m**2 for s, m in zip(self._squares, self.mean, strict=True)]
        # Rounding leaves a constant channel about 1e-16; no channel of real images comes near 1e-12.
        return [float(v**0.5) if v > 1e-12 else 1.0 for v in variances]


def to_store_blocks(description: Description, blocks: Iterable[Block], moments: Moments) -> Iterator[xr.Dataset]:
    """Turn blocks into parts of a dataset store, checking them against the description.

    Parameters
    ----------
    description
        What the component said of the dataset.
    blocks
        What it reads.
    moments
        Takes in the images of the train split.

    Yields
    ------
    xarray.Dataset
        ``image`` (sample, channel, y, x), ``label``, ``split`` and coordinate ``sample``, as the contract ``DATASET``
        asks; the attributes ``classes``, ``source`` and ``licence`` too.

    Raises
    ------
    FreqmapsError
        Images of another shape, or other numbers of samples, than were described: the files changed meanwhile.
    """
    import numpy as np
    import xarray as xr

    shape = (description.channels, description.size, description.size)
    counts = dict.fromkeys(description.splits, 0)
    for block in blocks:
        if block.image.shape[1:] != shape:
            raise FreqmapsError(f"images are {block.image.shape[1:]}, but were described as {shape}; {_CHANGED}")
        train = np.array([split == "train" for split in block.split], dtype=bool)
        moments.add(block.image if train.all() else block.image[train])
        for split in block.split:
            counts[split] = counts.get(split, 0) + 1
        yield xr.Dataset(
            {
                "image": (("sample", "channel", "y", "x"), block.image),
                "label": ("sample", block.label),
                "split": ("sample", np.array(block.split, dtype=np.dtypes.StringDType())),
            },
            coords={"sample": np.array(block.sample, dtype=np.dtypes.StringDType())},
            attrs=_attributes(description),
        )
    if counts != description.splits:
        raise FreqmapsError(f"{counts} samples were read, but {description.splits} described; {_CHANGED}")


_CHANGED = "the files changed since; run the target again"


def _attributes(description: Description) -> dict[str, Any]:
    return {
        "classes": list(description.classes),
        "source": description.source,
        "licence": description.licence,
    }


def write_store(
    path: Path,
    kind: str,
    params: Mapping[str, Any],
    extra_attrs: Mapping[str, Any],
    identity: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Read a dataset and write its store, whole or not at all.

    Parameters
    ----------
    path
        Where the store shall lie.
    kind, params
        The component and all of its parameters.
    extra_attrs
        Provenance, for the store's attributes.
    identity
        What the data were when the study was resolved; given, it must still be so (downloads included).

    Returns
    -------
    dict
        ``n`` (by split), ``classes`` (their number), ``channels``, ``size``, ``mean`` and ``std`` (per channel, of
        train images in [0, 1]).

    Raises
    ------
    FreqmapsError
        The data cannot be read, or changed since they were described.
    """
    from freqmaps.core import components
    from freqmaps.stores import DATASET, write_blocks

    description: Description = components.load("dataset", kind)(**params)
    if identity is not None and dict(identity) != description.identity:
        raise FreqmapsError(f"{kind}: the data are not those that the study was resolved for; {_CHANGED}")
    moments = Moments(description.channels)
    blocks = components.load("dataset", kind, "read")(**params)
    write_blocks(
        path,
        to_store_blocks(description, blocks, moments),
        DATASET,
        lambda: {**extra_attrs, **_attributes(description), "mean": moments.mean, "std": moments.std},
    )
    return {
        "n": dict(description.splits),
        "classes": len(description.classes),
        "channels": description.channels,
        "size": description.size,
        "mean": moments.mean,
        "std": moments.std,
    }

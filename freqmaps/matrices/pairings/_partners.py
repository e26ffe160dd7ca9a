"""Draw for each sample a partner, of the same or of another class, among those that two map stores share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from freqmaps.matrices._join import join

if TYPE_CHECKING:
    import xarray as xr

Rows = NDArray[np.int64]


def of_same_class(labels: Rows, generator: np.random.Generator) -> tuple[Rows, Rows]:
    """Give each sample another one of its class.

    Within a class the samples stand in a circle in random order, and each gets its neighbour: nobody gets itself, and
    everybody is somebody's partner once, so that both sides hold the same maps as those of the matched pairs.

    Parameters
    ----------
    labels
        (n,) int64.
    generator
        Draws the order.

    Returns
    -------
    tuple of ndarray
        Samples, ascending, and the partner of each, both (m,) int64. A class's only sample is left out.
    """
    partners = np.arange(len(labels))
    for label in np.unique(labels):
        circle = generator.permutation(np.flatnonzero(labels == label))
        partners[circle] = np.roll(circle, 1)
    samples = np.flatnonzero(partners != np.arange(len(labels)))
    return samples, partners[samples]


def of_other_class(labels: Rows, generator: np.random.Generator) -> tuple[Rows, Rows]:
    """Give each sample one of another class.

    A random order, in which every sample whose partner is of its own class then swaps partners with a random one for
    which the swap suits both. There is one as long as no class has more than half of the samples; of a class that has
    more, randomly chosen samples are left out.

    Parameters
    ----------
    labels
        (n,) int64.
    generator
        Draws the order, the swaps, and what is left out.

    Returns
    -------
    tuple of ndarray
        Samples, ascending, and the partner of each, both (m,) int64: the same samples in another order.
    """
    samples = _without_surplus(labels, generator)
    own = labels[samples]
    partners = generator.permutation(len(samples))
    for i in np.flatnonzero(own[partners] == own):
        if own[partners[i]] == own[i]:
            suits = np.flatnonzero((own != own[i]) & (own[partners] != own[i]))
            j = generator.choice(suits)
            partners[i], partners[j] = partners[j], partners[i]
    return samples, samples[partners]


def _without_surplus(labels: Rows, generator: np.random.Generator) -> Rows:
    """Leave out so many of the largest class that it has no more samples than all others together."""
    classes, counts = np.unique(labels, return_counts=True)
    keep = np.ones(len(labels), dtype=bool)
    surplus = 2 * int(counts.max(initial=0)) - len(labels)
    if surplus > 0:
        largest = np.flatnonzero(labels == classes[counts.argmax()])
        keep[generator.choice(largest, surplus, replace=False)] = False
    return np.flatnonzero(keep).astype(np.int64)


def shared(first: xr.Dataset, second: xr.Dataset) -> tuple[Rows, Rows, Rows]:
    """Return the rows of either store that are of a sample of both, and those samples' labels, all (n,) int64."""
    first_rows, second_rows, _, _ = join(first["sample"].values, second["sample"].values)
    return first_rows, second_rows, first["label"].values[first_rows].astype(np.int64)


def beside(first: xr.Dataset, rows: Rows, second: xr.Dataset, partners: Rows) -> xr.Dataset:
    """Return rows ``partners`` of the second store, named and labelled as rows ``rows`` of the first one."""
    chosen = second.isel(sample=partners)
    named = chosen.assign_coords(sample=("sample", first["sample"].values[rows]))
    return named.assign(label=("sample", first["label"].values[rows]))

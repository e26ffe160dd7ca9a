"""Which samples an atlas shows: all, or as many of each class as fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freqmaps.atlas._planes import bytes_per_sample
from freqmaps.atlas._read import mapped_samples
from freqmaps.core.images import ESSENTIAL
from freqmaps.results.reader import Results


@dataclass(frozen=True)
class Choice:
    """The samples shown.

    Attributes
    ----------
    ids
        Their ids, in the order of the stores.
    available
        How many samples have an essential map.
    limit
        What kept the others out: ``samples``, ``megabytes``, or "" if all are shown.
    """

    ids: list[str]
    available: int
    limit: str = ""


def choose(inputs: Results, attacks: int, *, samples: int, megabytes: float) -> Choice:
    """Choose among the samples that have an essential map, that is, all that were mapped and correctly classified.

    Parameters
    ----------
    inputs
        The results of one setting.
    attacks
        How many attacks are shown: each costs space.
    samples
        At most so many, at least 1.
    megabytes
        At most so many million bytes of pixels and map entries before compression; at least one sample is shown.
    """
    ids = mapped_samples(inputs, images=ESSENTIAL)
    if not ids:
        return Choice([], 0)
    labels = inputs.maps(images=ESSENTIAL, variables=["label"])["label"].values
    shape = inputs.maps(images=ESSENTIAL, variables=["map"], samples=ids[:1])["map"].shape[1:]
    fit = max(1, int(megabytes * 1e6 // bytes_per_sample(shape, attacks)))
    count = min(samples, fit)
    if count >= len(ids):
        return Choice(ids, len(ids))
    chosen = [ids[i] for i in stratified(labels, count)]
    return Choice(chosen, len(ids), "megabytes" if fit < samples else "samples")


def stratified(labels: NDArray[Any], count: int) -> NDArray[np.int64]:
    """Choose positions so that every class has the same share, as far as it reaches.

    Places go round the classes in label order until ``count`` are given away; within a class they are spread evenly
    over its samples, so that the choice is the same in every run and leans to neither end of the store.

    Parameters
    ----------
    labels
        (n,) class of each sample.
    count
        At most ``n`` are chosen.

    Returns
    -------
    ndarray of int64
        Ascending positions.

    Examples
    --------
    >>> stratified(np.array([0, 0, 0, 0, 1, 2, 2, 2]), 5).tolist()
    [1, 3, 4, 5, 7]
    """
    classes, counts = np.unique(labels, return_counts=True)
    quota = np.zeros(len(classes), dtype=np.int64)
    for _ in range(min(count, len(labels))):
        open_classes = np.flatnonzero(quota < counts)
        quota[open_classes[np.argmin(quota[open_classes])]] += 1
    chosen = []
    for label, has, takes in zip(classes, counts, quota, strict=True):
        spread = ((np.arange(takes) + 0.5) * has / max(takes, 1)).astype(np.int64)
        chosen.append(np.flatnonzero(labels == label)[spread])
    return np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, dtype=np.int64)

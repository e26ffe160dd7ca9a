"""The order of a group's images in its minibatches, and the steps of an epoch as they lie on the device.

The order depends on seed and step alone, so resuming needs no state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from freqmaps.optimise.adam import wide_float


class Minibatches:
    """The minibatches of one group's images of one kind: all of them once per pass, shuffled anew for each.

    Parameters
    ----------
    members
        (n,) int64: positions of the images; n may be 0.
    size
        Images per minibatch; the last one of a pass may have fewer.
    seed
        What sets this order apart from others: the stage's seed, the kind and the group.
    """

    def __init__(self, members: NDArray[np.int64], size: int, seed: tuple[int, ...]) -> None:
        self.members, self.size, self.seed = members, size, seed
        self._pass, self._order = -1, members

    def __len__(self) -> int:
        """Return the number of minibatches per pass."""
        return -(-len(self.members) // self.size)

    def at(self, number: int) -> NDArray[np.int64]:
        """Return the positions of the images in a minibatch, counted on from the first one of the first pass."""
        turn, place = divmod(number, len(self))
        if turn != self._pass:
            self._order = np.random.default_rng([*self.seed, turn]).permutation(self.members)
            self._pass = turn
        return self._order[place * self.size : (place + 1) * self.size]


@dataclass(frozen=True)
class Step:
    """One step of l maps on b images, as it is planned: arrays on the CPU.

    Attributes
    ----------
    rows
        (b,) int64: positions of the images.
    owner
        (b,) int64: the map that each is filtered by.
    share
        (b,) float32: one over the number of images that the map sees in this step.
    live
        (l,) int64: the maps that make a step, in ascending order.
    number, rate, beta
        (l,) float64: each map's own number of this step, from 1, its rate as a share of the largest, and Adam's first
        beta.
    """

    rows: NDArray[np.int64]
    owner: NDArray[np.int64]
    share: NDArray[np.float32]
    live: NDArray[np.int64]
    number: NDArray[np.float64]
    rate: NDArray[np.float64]
    beta: NDArray[np.float64]


@dataclass(frozen=True)
class Batch:
    """A :class:`Step` on the device; ``here`` are its rows on the CPU, numbers are as wide as the device has them."""

    here: Tensor
    rows: Tensor
    owner: Tensor
    share: Tensor
    live: Tensor
    number: Tensor
    rate: Tensor
    beta: Tensor


def on_device(steps: Sequence[Step], device: torch.device) -> Iterator[Batch]:
    """Yield the steps as slices of tensors that reach the device in one copy each: a step by itself copies nothing."""
    if not steps:
        return
    columns: dict[str, Sequence[Tensor]] = {}
    for name in (field.name for field in fields(Step)):
        parts: list[NDArray[np.generic]] = [getattr(step, name) for step in steps]
        sizes, joined = [len(part) for part in parts], torch.from_numpy(np.concatenate(parts))
        if name == "rows":
            columns["here"] = torch.split(joined, sizes)
        wide = joined.to(wide_float(device)) if joined.dtype == torch.float64 else joined
        columns[name] = torch.split(wide.to(device), sizes)
    for place in range(len(steps)):
        yield Batch(**{name: column[place] for name, column in columns.items()})

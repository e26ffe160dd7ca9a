"""The clean or the adversarial images of a run, with what the objective needs of each image computed once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from freqmaps.core.device import is_out_of_memory, release
from freqmaps.group_maps.selection import Pictures
from freqmaps.models._predict import to_unit
from freqmaps.optimise.bases._api import Coefficients
from freqmaps.optimise.problem import Problem


class Chunks:
    """Work in pieces that fit in memory: a piece that does not is halved, and so are all that follow.

    Parameters
    ----------
    problem, device
        What the work is for, and where.
    size
        Images per piece to begin with.
    """

    def __init__(self, problem: Problem, size: int, device: torch.device) -> None:
        self.problem, self.size, self.device = problem, size, device

    def run(self, count: int, work: Callable[[slice], None]) -> None:
        """Call ``work`` with slices that cover ``range(count)``; it must leave no trace when it runs out of memory."""
        start = 0
        while start < count:
            stop = min(start + self.size, count)
            try:
                work(slice(start, stop))
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                self.size = self.problem.halved(stop - start, self.device)
                continue
            start = stop


class Pool:
    """Clean or adversarial images.

    Parameters
    ----------
    pictures
        What they are.
    chunks
        How many images to look at at once; its device is where targets, coefficients and context are kept.
    cache
        Whether to keep the coefficients of all images there; else they are computed whenever an image is looked at.

    Attributes
    ----------
    context
        (n, ...) what the objective needs of each unfiltered image: computed once, not once per epoch.
    right
        (n,) bool: whether the network gives the unfiltered image its target.
    """

    def __init__(self, pictures: Pictures, chunks: Chunks, cache: bool) -> None:
        self.problem, self.device = chunks.problem, chunks.device
        self.images = torch.from_numpy(pictures.images)
        self.targets = torch.from_numpy(pictures.targets).to(self.device)
        self._coefficients = self._all_coefficients() if cache else None
        remembered: list[tuple[Tensor, Tensor]] = []

        def work(part: slice) -> None:
            context, predictions = self.problem.remember(self._unit(self.images[part]), self.targets[part])
            remembered.append((context, predictions == self.targets[part]))

        chunks.run(len(self), work)
        self.context, self.right = (torch.cat(parts) for parts in zip(*remembered, strict=True))

    def __len__(self) -> int:
        return len(self.targets)

    def coefficients(self, here: Tensor, there: Tensor) -> Coefficients:
        """Return the coefficients of some images, tensors with a row each, given their places on the CPU and there."""
        if self._coefficients is not None:
            return tuple(part.index_select(0, there) for part in self._coefficients)
        with torch.no_grad():
            return self.problem.plan.coefficients(self._unit(self.images.index_select(0, here)))

    def _unit(self, images: Tensor) -> Tensor:
        return to_unit(images.to(self.device))

    def _all_coefficients(self) -> Coefficients | None:
        try:
            with torch.no_grad():
                parts = [self.problem.plan.coefficients(self._unit(p)) for p in torch.split(self.images, 256)]
            return tuple(torch.cat(part) for part in zip(*parts, strict=True))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            release(self.device)
            return None

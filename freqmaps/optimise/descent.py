"""What maps and group maps share of their way down: the maps, Adam's moments of their gradients, and one step."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from freqmaps.optimise import adam
from freqmaps.optimise.bases._api import Plan


@dataclass
class Descent:
    """p maps that are being optimised, each on its own.

    Attributes
    ----------
    map, first, second
        (p, ...) float32, of the shape that the basis's layout has: the maps M, and Adam's moments of their gradients.
    """

    map: Tensor
    first: Tensor
    second: Tensor

    def part(self, rows: Tensor) -> Descent:
        """Return a copy of some maps and their moments, given their places (k,) int64."""
        return Descent(*(tensor.index_select(0, rows) for tensor in (self.map, self.first, self.second)))

    def put(self, rows: Tensor, part: Descent) -> None:
        """Write what :meth:`part` returned back in its places."""
        for name in ("map", "first", "second"):
            getattr(self, name).index_copy_(0, rows, getattr(part, name))

    def step(
        self, plan: Plan, gradient: Tensor, scratch: Tensor, rate: Tensor, number: Tensor, beta: float | Tensor
    ) -> None:
        """Make a step of Adam with each map's own number and rate, then put the maps back into the basis's range.

        Parameters
        ----------
        plan
            The basis's plan for these images: it moves the maps and keeps them in range.
        gradient, scratch
            (p, ...) of the objective at the maps as they stand; and memory of the same shape, which is overwritten.
        rate
            (p,) float: the learning rate of this step; 0 leaves a map as it is.
        number
            (p,) float: the number of this step, from 1.
        beta
            Adam's first beta: a number, or one per map.
        """
        direction = adam.direction(self.first, self.second, gradient, number, scratch, beta)
        plan.move_(self.map, direction, adam.corrected(rate, number, gradient, beta), self.first)

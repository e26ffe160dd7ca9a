"""What an attack component returns: how to perturb a batch, and the budget that is checked afterwards."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor, nn

from freqmaps.core.errors import FreqmapsError

Norm = Literal["linf", "l2", "l1", "l0"]


class Attack(Protocol):
    """A function from a batch to its perturbed copy."""

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """Perturb images so that the model no longer predicts their labels.

        Parameters
        ----------
        model
            Frozen, in eval mode; maps images in [0, 1] to logits.
        images
            (n, c, h, w) float32 in [0, 1], on the model's device.
        labels
            (n,) int64.

        Returns
        -------
        Tensor
            (n, c, h, w) float32. Where nothing was found: the last attempt, the clean image, or NaN.
        """
        ...


@dataclass(frozen=True)
class AttackPlan:
    """An attack with all its settings.

    Parameters
    ----------
    name
        What messages call it.
    attack
        The function that perturbs a batch. Its ``repr`` tells its settings: a half-finished run is resumed only
        by a plan of equal ``repr``.
    norm
        The norm that the attack bounds or minimises.
    epsilon
        The budget in that norm, for images in [0, 1]; None for a minimum-norm attack, which has no budget.
    block
        None if a sample's result does not depend on the other samples of its batch. Otherwise samples are attacked
        together in fixed blocks of this many positions, so that shards that are a multiple of it change nothing.

    Raises
    ------
    FreqmapsError
        The budget is not positive and finite, or (linf) not below 1; the block is not positive.
    """

    name: str
    attack: Attack
    norm: Norm
    epsilon: float | None
    block: int | None = None

    def __post_init__(self) -> None:
        top = 1.0 if self.norm == "linf" else math.inf
        if self.epsilon is not None and not 0.0 < self.epsilon < top:
            raise FreqmapsError(
                f"attack '{self.name}': epsilon {self.epsilon} lies outside (0, {top:g}); "
                f"give a budget in the {self.norm} norm of images in [0, 1], such as 8/255"
            )
        if self.block is not None and self.block < 1:
            raise FreqmapsError(f"attack '{self.name}': block {self.block} must be at least 1")

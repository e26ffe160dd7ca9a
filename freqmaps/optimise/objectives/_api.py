"""What an objective of the map optimisation must offer: the protocol of all components in this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Objective(Protocol):
    """What a map is to minimise: a data term per image, which sees the logits, plus a penalty on the map.

    All methods work on a batch of b images, each its own problem: no number of one image may depend on another.
    """

    def prepare(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return what the loss must remember of the unfiltered image, once, when it enters the batch.

        Parameters
        ----------
        logits
            (b, k) float32: the network's logits for the unfiltered images.
        target
            (b,) int64: the class that each map is to keep.

        Returns
        -------
        Tensor, shape (b, ...)
            Handed to :meth:`loss` at every step; ``logits.new_zeros(b, 0)`` if there is nothing to remember.
        """
        ...

    def loss(self, logits: Tensor, target: Tensor, context: Tensor) -> Tensor:
        """Return the data term of each image, shape (b,), differentiable with respect to the logits (b, k)."""
        ...

    def penalty(self, m: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the penalty of each map and its gradient.

        Parameters
        ----------
        m
            (b, c, h, w // 2 + 1) float32 in [0, 1]: the maps' half planes; of other bases, (b, c, rows, columns); of
            complex maps, |M|. Not to be changed.
        weight
            (h, w // 2 + 1) float32: how many coefficients each entry stands for: in half planes, how often it stands in
            the full plane (1 or 2).

        Returns
        -------
        value
            (b,) over the full plane, so each entry counts ``weight`` times.
        gradient
            Like ``m``, newly allocated: the derivative with respect to one full-plane entry, hence *not* times
            ``weight`` (in the full plane, each copy of an entry receives its own).
        """
        ...

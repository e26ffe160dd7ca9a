"""What a basis must offer: the protocol of all components in this folder, and what most of them share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn

from freqmaps.optimise.layouts import Layout
from freqmaps.optimise.objectives._api import Objective

Coefficients = tuple[Tensor, ...]


class Plan(ABC):
    """A basis bound to a network and to a shape of images: what each step of the optimisation calls.

    All methods work on a batch of b images, each its own problem; none of one image's numbers may depend on another's.

    Parameters
    ----------
    layout
        Shape and labels of one map.
    weight
        (rows, columns) float: how many coefficients each entry of a map stands for; 2 for entries that also speak for
        a mirror image.
    numbers
        How many numbers the coefficients of one image are, by which the batch is fitted into memory.
    """

    #: Whether filtering is linear in the map.
    linear = True

    def __init__(self, layout: Layout, weight: Tensor, numbers: int) -> None:
        self.layout, self.weight, self.numbers = layout, weight, numbers

    @abstractmethod
    def coefficients(self, images: Tensor) -> Coefficients:
        """Return what must be known of images (b, c, h, w), once per image: tensors with b rows each."""

    @abstractmethod
    def synthesise(self, coefficients: Coefficients, m: Tensor) -> Tensor:
        """Return the filtered images (b, c, h, w): the images themselves for the initial map."""

    @abstractmethod
    def pull_back(self, towards: Tensor, coefficients: Coefficients, m: Tensor) -> Tensor:
        """Turn the loss's gradient with respect to filtered images into that with respect to the map.

        Newly allocated, like ``m``. With respect to *one* coefficient's factor: where an entry speaks for two
        coefficients, half of what moving both would give.
        """

    def initial(self, coefficients: Coefficients) -> Tensor:
        """Return the map that changes nothing, (b, *layout.shape): all ones."""
        like = coefficients[0].real
        return torch.ones(len(like), *self.layout.shape, dtype=like.dtype, device=like.device)

    def logits(self, net: nn.Module, filtered: Tensor, coefficients: Coefficients) -> Tensor:
        """Return the network's logits (b, classes) for what :meth:`synthesise` gave."""
        logits: Tensor = net(filtered)
        return logits

    def size(self, m: Tensor) -> Tensor:
        """Return |M|, (b, channels, rows, columns): what the penalty and the figures on sparsity see."""
        return m.abs()

    def symmetrise_(self, gradient: Tensor) -> Tensor:
        """Give gradients that were summed over images the symmetry that maps have, to the last bit, in place."""
        return gradient

    def gradient(self, objective: Objective, m: Tensor, data: Tensor) -> tuple[Tensor, Tensor]:
        """Return the penalty of each map, (b,), and the gradient of data term plus penalty, like ``m``.

        Parameters
        ----------
        objective
            Gives the penalty.
        m, data
            (b, ...): the maps, and the gradients of their data terms: those of :meth:`pull_back`, or sums of such.
        """
        penalty, gradient = objective.penalty(m, self.weight)
        gradient += data
        return penalty, gradient

    def move_(self, m: Tensor, direction: Tensor, rate: Tensor, momentum: Tensor) -> None:
        """Subtract ``rate · direction`` from the maps, in place, and put them back into their range, [0, 1].

        A rate of 0 marks a map that must stay as it is, to the last bit. ``momentum``, Adam's first moment, may be
        changed where an entry meets a boundary.
        """
        m.addcmul_(direction, rate, value=-1).clamp_(0, 1)


class Basis(Protocol):
    """What ``build`` of a component returns."""

    #: Whether the network may be rewritten (batch norm folded away): not if the basis looks into its layers.
    folds: bool

    def bind(self, net: nn.Module, images: Tensor) -> Plan:
        """Return the plan for a network and images like these (n, c, h, w), n at least 1, on their device.

        Raises
        ------
        FreqmapsError
            The basis does not fit the images or the network.
        """
        ...


class OfImages:
    """A basis of the images themselves, which asks nothing of the network.

    Parameters
    ----------
    plan
        Makes the plan from example images (n, c, h, w).
    """

    folds = True

    def __init__(self, plan: Callable[[Tensor], Plan]) -> None:
        self.plan = plan

    def bind(self, net: nn.Module, images: Tensor) -> Plan:
        """Return the plan for images like these."""
        return self.plan(images)

"""The problem that each map solves: a frozen network, an objective, and the coefficients that the map multiplies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from freqmaps.core.device import full_float32, release
from freqmaps.core.errors import FreqmapsError
from freqmaps.core.frozen import freeze, plain_copy
from freqmaps.core.memory import fitting_batch, keep_freed_memory
from freqmaps.optimise.bases._api import Basis, Coefficients, Plan
from freqmaps.optimise.compiled import Mode, compiled
from freqmaps.optimise.objectives._api import Objective


class DataTerm(NamedTuple):
    """What a look at b filtered images gives: nothing of it has a gradient.

    Attributes
    ----------
    logits
        (b, classes) of the filtered images.
    loss
        (b,): the objective's data term.
    gradient
        (b, ...) like the maps: that of each image's data term, times its share.
    """

    logits: Tensor
    loss: Tensor
    gradient: Tensor


@dataclass(frozen=True)
class Problem:
    """What every step of an optimisation asks.

    Attributes
    ----------
    stage
        ``maps`` or ``group_maps``, for messages.
    plain, net
        The network, and the same with batch norm folded away and weights in a fast layout, where that is possible.
    plan
        The basis, bound to the network and to the images' shape.
    objective
        What is minimised.
    folds
        Whether the basis leaves the network as a whole, from images to logits.
    """

    stage: str
    plain: nn.Module
    net: nn.Module
    plan: Plan
    objective: Objective
    folds: bool = True

    @classmethod
    @full_float32()
    def of(cls, stage: str, model: nn.Module, objective: Objective, basis: Basis, images: Tensor) -> Problem:
        """Return the problem of a network (copied: the caller's is left unchanged) for images like these.

        Parameters
        ----------
        stage, model, objective, basis
            See the attributes; the model is any network from images in [0, 1] to logits.
        images
            (n, c, h, w) float32 on the device, n at least 1; the first two check that folding changes no logits.

        Raises
        ------
        FreqmapsError
            The basis does not fit the images or the network.
        """
        if images.device.type == "cpu":
            keep_freed_memory()  # every step asks for the same blocks
        plain = plain_copy(model, images.device)
        net = freeze(plain, images[:2], fold=basis.folds)
        return cls(stage, plain, net, basis.bind(plain, images[:1]), objective, basis.folds)

    def batch(self, image: Tensor) -> int:
        """Return how many images like this one (1, c, h, w) to optimise together."""
        return fitting_batch(self.net, image, self.plan.numbers)

    def compiled(self, image: Tensor, batch: int, gradients: float, mode: Mode) -> Problem:
        """Return the same problem, its network compiled for a batch where that is worth it.

        Parameters
        ----------
        image, batch, gradients, mode
            See :func:`freqmaps.optimise.compiled.compiled`.
        """
        if not self.folds:  # a network that is cut at a layer, by hooks
            return self
        return replace(self, net=compiled(self.net, image, batch, gradients, mode))

    @full_float32()
    def remember(self, images: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Look at unfiltered images: return what the objective needs of them, (b, ...), and their classes, (b,).

        Raises
        ------
        FreqmapsError
            A target is none of the network's classes.
        """
        with torch.no_grad():
            logits = self.plain(images)
            wrong = target[(target < 0) | (target >= logits.shape[1])]
            if len(wrong):
                raise FreqmapsError(
                    f"{self.stage}: targets must lie in 0..{logits.shape[1] - 1}, the model's classes; "
                    f"found {int(wrong[0])}; was the model trained on these classes?"
                )
            return self.objective.prepare(logits, target), logits.argmax(dim=1)

    @full_float32()
    def data_term(
        self, coefficients: Coefficients, m: Tensor, target: Tensor, context: Tensor, share: Tensor | None = None
    ) -> DataTerm:
        """Filter images by maps, and return the objective's data term and its gradient with respect to the maps.

        Parameters
        ----------
        coefficients, m, target, context
            Of b images, a row each: coefficients, maps, targets and what the objective remembers.
        share
            (b,) what each image's data term is multiplied by in its map's loss; None: 1.
        """
        with torch.no_grad():
            filtered = self.plan.synthesise(coefficients, m)
        with torch.enable_grad():
            logits = self.plan.logits(self.net, filtered.requires_grad_(), coefficients)
            loss = self.objective.loss(logits, target, context)
            (towards,) = torch.autograd.grad((loss if share is None else loss * share).sum(), filtered)
        with torch.no_grad():
            gradient = self.plan.pull_back(towards, coefficients, m)
        return DataTerm(logits.detach(), loss.detach(), gradient)

    @full_float32()
    def predictions(self, coefficients: Coefficients, m: Tensor) -> Tensor:
        """Return the class that the network gives images filtered by maps, (b,) int64."""
        with torch.no_grad():
            logits = self.plan.logits(self.plain, self.plan.synthesise(coefficients, m), coefficients)
            return logits.argmax(dim=1)

    def halved(self, batch: int, device: torch.device) -> int:
        """Return half of a batch for which memory ran out, after giving cached memory back.

        Raises
        ------
        FreqmapsError
            The batch was one image.
        """
        release(device)
        if batch <= 1:
            raise FreqmapsError(f"{self.stage}: not even one image fits in memory; use a machine or a device with more")
        return batch // 2


def plan_for(model: nn.Module, basis: Basis, images: Tensor, device: torch.device) -> Plan:
    """Return the plan of a basis for a network and images (n, c, h, w), of which there may be none."""
    example = images[:1] if len(images) else images.new_zeros(1, *images.shape[1:])
    return basis.bind(plain_copy(model, device), example.to(device))

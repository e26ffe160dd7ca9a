"""Foolbox's attacks as plain functions of a network, images and labels.

Rauber et al., "Foolbox Native", JOSS 2020. The only module that imports Foolbox, on behalf of the components.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from freqmaps.attacks._api import AttackPlan, Norm
from freqmaps.core.errors import FreqmapsError

with warnings.catch_warnings():
    # Foolbox 3.3.4 imports gaussian_filter from a namespace that SciPy has deprecated.
    warnings.filterwarnings("ignore", "Please import `gaussian_filter`", DeprecationWarning)
    foolbox: Any = import_module("foolbox")

#: Foolbox's modules, untyped: its annotations do not say what it exports.
attacks: Any = foolbox.attacks
distances: Any = foolbox.distances
#: What Foolbox computes with.
eagerpy: Any = import_module("eagerpy")

__all__ = ["FoolboxAttack", "attacks", "distances", "eagerpy", "foolbox", "plan"]


@dataclass(frozen=True)
class FoolboxAttack:
    """A Foolbox attack with its budget, called like :class:`freqmaps.attacks._api.Attack`.

    Parameters
    ----------
    attack
        The configured attack; its ``repr`` tells all settings.
    epsilon
        Budget in the attack's norm, None for a minimum-norm attack.
    black_if_none
        The attack returns a black image where it found nothing: take the clean one instead.
    """

    attack: Any
    epsilon: float | None
    black_if_none: bool = False

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """Return the perturbed images, clipped to the budget.

        Raises
        ------
        FreqmapsError
            Foolbox refuses the settings, or found no starting point.
        """
        clipped: Tensor
        wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device=images.device)
        try:
            with _quiet():
                _, clipped, _ = self.attack(wrapped, images, labels, epsilons=self.epsilon)
        except (ValueError, NotImplementedError) as error:
            raise FreqmapsError(f"Foolbox refuses {self.attack!r}: {error}") from error
        if self.black_if_none:
            black = (clipped == 0).flatten(1).all(dim=1)
            clipped = torch.where(black[:, None, None, None], images, clipped)
        return clipped


def plan(
    name: str,
    attack: Any,
    norm: Norm,
    epsilon: float | None,
    *,
    black_if_none: bool = False,
    block: int | None = None,
) -> AttackPlan:
    """Return the plan of a Foolbox attack; see :class:`AttackPlan` and :class:`FoolboxAttack`."""
    return AttackPlan(name, FoolboxAttack(attack, epsilon, black_if_none), norm, epsilon, block)


@contextmanager
def _quiet() -> Iterator[None]:
    """Drop what Foolbox says for every batch: to the root logger (DeepFool), as warnings of torch's and its own."""

    def wanted(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith("Only testing the top-")

    root = logging.getLogger()
    root.addFilter(wanted)
    try:
        with warnings.catch_warnings():
            for message in ("torch.meshgrid", "The given NumPy array is not writable", "At the first initialisation"):
                warnings.filterwarnings("ignore", message, UserWarning)
            yield
    finally:
        root.removeFilter(wanted)

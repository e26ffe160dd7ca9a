"""Attacks on a plain network and on defended ones, through the gradients that each attacker can compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from freqmaps.attacks import AttackPlan, attack_images
from freqmaps.attacks._autoattack import CLASSES, Ensemble
from freqmaps.attacks.pgd import build as pgd
from freqmaps.group_maps.two_pass import ThroughChoice, TwoPass
from freqmaps.models import predict

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from freqmaps.stores.selection import Samples

#: ``pgd-long`` makes that many times the steps of ``pgd``.
LONGER = 3
PARTS = ("pgd", "pgd-long", *CLASSES)
#: What is also differentiated through the choice, where a gradient costs one look per class.
PARTS_OF_CHOICE = ("pgd", "apgd-ce", "apgd-dlr")
#: Whom a row's gradient belongs to; Square has none.
NETWORK, FILTER, CHOSEN, CHOICE, NO_GRADIENT = "network", "filter", "chosen map", "choice", "none"


@dataclass(frozen=True)
class Budget:
    """How far and how hard an attacker tries; see :mod:`freqmaps.evaluation.adaptive`."""

    norm: Literal["linf", "l2"]
    epsilon: float
    steps: int
    targets: int
    queries: int
    block: int

    def plan(self, part: str) -> AttackPlan:
        """Return one of :data:`PARTS` as an attack."""
        if part in ("pgd", "pgd-long"):
            steps = self.steps * (LONGER if part == "pgd-long" else 1)
            return pgd(norm=self.norm, epsilon=self.epsilon, steps=steps)
        ensemble = Ensemble((part,), self.norm, self.epsilon, self.steps, self.targets, self.queries)
        return AttackPlan(part, ensemble, self.norm, self.epsilon, self.block)

    def unbounded(self, values: int) -> Budget:
        """Return the budget that reaches every image of so many values, but for rounding."""
        return replace(self, epsilon=0.999 if self.norm == "linf" else float(np.sqrt(values)))


@dataclass(frozen=True)
class Target:
    """A classifier under attack.

    Attributes
    ----------
    judge
        The network whose predictions decide attack success.
    gradients
        Models that an attacker may differentiate, by name, and what he does with each.
    """

    judge: nn.Module
    gradients: Mapping[str, tuple[nn.Module, tuple[str, ...]]]


@dataclass(frozen=True)
class Trial:
    """What one attack made of all images: (n, c, h, w) float32."""

    part: str
    gradient: str
    images: NDArray[np.float32]


def bare(network: nn.Module, classes: int) -> Target:
    """Return the network itself as a target."""
    return exact(network, classes, NETWORK)


def exact(network: nn.Module, classes: int, through: str) -> Target:
    """Return a network as a target that is differentiated as it stands, and what to call that gradient."""
    return Target(network, {through: (network, _usable(PARTS, classes))})


def defended(network: nn.Module, maps: NDArray[np.float32], temperature: float) -> Target:
    """Return the two-pass classifier as a target, differentiated through the chosen map and through the choice."""
    judge, classes = TwoPass(network, maps), len(maps)
    choice = ThroughChoice(network, maps, temperature=temperature)
    return Target(
        judge, {CHOSEN: (judge, _usable(PARTS, classes)), CHOICE: (choice, _usable(PARTS_OF_CHOICE, classes))}
    )


def _usable(parts: tuple[str, ...], classes: int) -> tuple[str, ...]:
    return tuple(part for part in parts if classes >= CLASSES.get(part, 2))


@dataclass(frozen=True)
class Attacker:
    """Attacks some samples; random starts belong to the sample, the same for every target."""

    samples: Samples
    seed: int
    device: torch.device

    def trials(self, target: Target, budget: Budget) -> list[Trial]:
        """Return what each attack makes of the images against a target."""
        return [
            Trial(part, NO_GRADIENT if part == "square" else gradient, self.images(model, budget.plan(part)))
            for gradient, (model, parts) in target.gradients.items()
            for part in parts
        ]

    def images(self, model: nn.Module, plan: AttackPlan) -> NDArray[np.float32]:
        """Return the images that an attack makes; within the budget and [0, 1], or there is an error."""
        samples = self.samples
        attacked = attack_images(
            model, samples.images, samples.labels, plan, seed=self.seed, positions=samples.positions, device=self.device
        )
        return attacked.adversarial

    def right(self, target: Target, images: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which images the target has right, (n,)."""
        return np.asarray(predict(target.judge, images, device=self.device) == self.samples.labels)

    def unbeaten(self, target: Target, trials: Sequence[Trial]) -> NDArray[np.bool_]:
        """Return which images the target has right without an attack and in every trial."""
        right = self.right(target, self.samples.images)
        for trial in trials:
            right = right & self.right(target, trial.images)
        return right

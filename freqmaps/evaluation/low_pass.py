"""Accuracy through a low-pass filter by its cut-off, and what an attacker who knows the filter leaves (F21, 4.3).

In the paper the attacker does not know of the filter: the run's attacks are made against the network without one. The
filter is linear, so its gradient is exact, and whoever knows it attacks filter and network as one (``_adaptive``).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, nan
from typing import TYPE_CHECKING, Literal

import numpy as np
from torch import Tensor, nn

from freqmaps.attacks._result import SLACK, norms
from freqmaps.evaluation._adaptive import CLEAN, adaptive_rows
from freqmaps.evaluation._api import Network, Row
from freqmaps.evaluation._attackers import FILTER, NO_GRADIENT, Attacker, Budget, Trial, bare, exact
from freqmaps.evaluation._defences import attacked, compared
from freqmaps.models import predict, predict_logits
from freqmaps.spectra.low_pass import Shape, keeps_all, low_pass, low_pass_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from freqmaps.results.reader import Inputs

    Images = dict[tuple[str, str], NDArray[np.float32]]
    #: Which images are right, by cut-off and by attack and the training attacked.
    Rights = dict[float, dict[tuple[str, str], NDArray[np.bool_]]]

NEEDS = ("attacks",)
LIBRARIES = ("foolbox", "eagerpy", "pyautoattack")
RANGES = {
    "cutoffs": "[0, 1e6)",
    "adaptive": "[0, 1e6)",
    "epsilon": {"norm": {"linf": "(0, 1)", "l2": "(0, 1000)"}},
    "images": "[1, 1e9)",
    "steps": "[1, 1e6)",
    "targets": "[1, 1e6)",
    "queries": "[1, 1e9)",
    "block": "[1, 1e6)",
}
TINY = {"cutoffs": [1, 3], "epsilon": 0.1, "images": 9, "steps": 2, "targets": 2, "queries": 5}

#: The cut-off of no filter.
NO_FILTER = inf


class LowPassed(nn.Module):
    """A network that sees images through a low-pass filter.

    Parameters
    ----------
    network
        From images in [0, 1] to logits.
    cutoff, shape
        See :func:`freqmaps.spectra.low_pass.low_pass_mask`.
    """

    def __init__(self, network: nn.Module, cutoff: float, shape: Shape = "square") -> None:
        super().__init__()
        self.network, self.cutoff, self.shape = network, cutoff, shape
        # What asks a network and puts its mode back must not leave this one in another.
        self.training = network.training

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits for the filtered images, which are not clipped, (n, classes)."""
        logits: Tensor = self.network(low_pass(x, self.cutoff, self.shape))
        return logits


def compute(
    inputs: Inputs,
    network: Network,
    *,
    seed: int,
    attacks: list[str] | None = None,
    cutoffs: list[float] | None = None,
    shape: Literal["square", "radial"] = "square",
    adaptive: list[float] | None = None,
    norm: Literal["linf", "l2"] = "linf",
    epsilon: float = 0.03137254901960784,
    images: int | None = 128,
    steps: int = 100,
    targets: int = 9,
    queries: int = 1000,
    block: int = 64,
) -> list[Row]:
    """Return the accuracy by cut-off without attack and under the run's attacks, and of some under adaptive attacks.

    Parameters
    ----------
    inputs, network
        The results; the network.
    seed
        Of random starts and squares.
    attacks
        Names of the run's attacks; None takes all that the evaluation was given.
    cutoffs
        In cycles per image; None: 1, 2, … up to the first that keeps every frequency.
    shape
        ``square`` or ``radial``: what the cut-off bounds.
    adaptive
        Cut-offs, beside ``cutoffs``, at which the attacker knows the filter. None: of those ``cutoffs`` that cut
        anything, the one at which most images are right under all of the run's attacks together. Empty: none.
    norm, epsilon
        The budget of the adaptive attacks, for images in [0, 1]; the default is 8/255.
    images
        How many of the run's samples they attack, from the first; None: all.
    steps
        Of PGD, APGD and FAB; ``pgd-long`` makes three times as many.
    targets
        Wrong classes that targeted attacks aim at.
    queries
        Of Square; AutoAttack has 5000.
    block
        Images that AutoAttack's parts take together.

    Returns
    -------
    list of dict
        Columns ``cutoff`` (``inf``: no filter), ``kept`` (the share of frequencies that it keeps), ``attacker``
        (``unaware`` or ``aware`` of the filter), ``against`` (the training whose network the run's attack was made
        against, else empty), ``attack``, ``gradient`` and those of every evaluation; ``lost`` and ``gained``: how many
        images are right without the filter and wrong with it under the same attack, and the other way round. Unaware:
        ``clean`` and the run's attacks, all samples. Aware: see :func:`freqmaps.evaluation._adaptive.adaptive_rows`;
        the first ``images`` samples, and what the run's attacks made of them within the budget counts as transferred.
    """
    samples = network.samples
    height, width = samples.images.shape[-2:]
    every = range(1, keeps_all(height, width, shape) + 1) if cutoffs is None else cutoffs
    attacked_images = attacked(inputs, network, attacks)
    wanted = [float(c) for c in (*every, *(adaptive or []))]
    right = _rights(network, {(CLEAN, ""): samples.images} | attacked_images, wanted, shape)
    rows = list(_unaware(right))
    cutting = [c for c in right if not low_pass_mask(height, width, c, shape).all()]
    known = _best(right, cutting) if adaptive is None else [float(c) for c in adaptive]
    if known:
        n = len(samples.ids) if images is None else min(images, len(samples.ids))
        attacker = Attacker(samples.at(np.arange(n)), seed, network.device)
        budget = Budget(norm, epsilon, steps, targets, queries, block)
        rows += _aware(
            network, attacker, budget, attacked_images, {c: LowPassed(network.classifier, c, shape) for c in known}
        )
    kept = {c: float(low_pass_mask(height, width, c, shape).mean()) for c in right}
    return [{"cutoff": row["cutoff"], "kept": kept[row["cutoff"]]} | row for row in rows]


def _rights(network: Network, images: Images, cutoffs: list[float], shape: Shape) -> Rights:
    models: dict[float, nn.Module] = {NO_FILTER: network.classifier}
    models |= {c: LowPassed(network.classifier, c, shape) for c in cutoffs}
    labels = network.samples.labels
    return {
        c: {what: predict(model, pictures, device=network.device) == labels for what, pictures in images.items()}
        for c, model in models.items()
    }


def _unaware(right: Rights) -> Iterator[Row]:
    for cutoff, by_attack in right.items():
        for (attack, against), hits in by_attack.items():
            what = {"cutoff": cutoff, "attacker": "unaware", "against": against}
            row = compared(right[NO_FILTER][attack, against], hits, **what, attack=attack, gradient=NO_GRADIENT)
            yield row | {"limit": nan, "reached": nan}


def _best(right: Rights, cutting: list[float]) -> list[float]:
    """Return the cut-off with most images right under all attacks together; of several the one with most clean ones."""

    def hits(cutoff: float) -> tuple[int, int]:
        by_attack = right[cutoff]
        return int(np.logical_and.reduce(list(by_attack.values())).sum()), int(by_attack[CLEAN, ""].sum())

    return [max(cutting, key=hits)] if cutting else []


def _aware(
    network: Network, attacker: Attacker, budget: Budget, attacked_images: Images, models: dict[float, LowPassed]
) -> Iterator[Row]:
    classes = predict_logits(network.classifier, attacker.samples.images[:1], device=network.device).shape[1]
    stored = [
        Trial(attack, NO_GRADIENT, _within(budget, attacker.samples.images, pictures[: len(attacker.samples.ids)]))
        for (attack, _), pictures in attacked_images.items()
    ]
    plain = bare(network.classifier, classes)
    named = {str(cutoff): exact(model, classes, FILTER) for cutoff, model in models.items()}
    for name, row in adaptive_rows(attacker, budget, plain, named, stored):
        yield {"cutoff": float(name or NO_FILTER), "attacker": "aware", "against": ""} | row


def _within(budget: Budget, clean: NDArray[np.float32], perturbed: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return attacked images, and the clean one where an attack went farther than the budget."""
    beyond = norms(perturbed - clean, budget.norm) > budget.epsilon + SLACK
    return np.where(beyond[:, None, None, None], clean, perturbed)

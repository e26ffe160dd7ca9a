"""Accuracy under the attacks that papers on robustness report: FGSM, PGD with restarts, its margin loss, AutoAttack.

All in ℓ∞, against the network itself, whose weights the attacker knows. What counts of each image is the worst that
any restart of an attack, or any of its parts, does to it; so an image that is fooled leaves the batch, which changes no
accuracy. The checks for masked gradients are those of Athalye, Carlini and Wagner (ICML 2018, section 3.1) and Carlini
et al., "On evaluating adversarial robustness", 2019, section 3: where one fails, the accuracies are too high.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import TYPE_CHECKING, Literal

import numpy as np

from freqmaps.attacks._autoattack import CLASSES, STANDARD
from freqmaps.attacks._restarts import Restarts, unbroken
from freqmaps.core.errors import FreqmapsError, nearest
from freqmaps.evaluation._adaptive import check, reaches_every, unbounded
from freqmaps.evaluation._api import Evaluated, Network, Row
from freqmaps.evaluation._attackers import LONGER, NETWORK, NO_GRADIENT, Attacker, Budget, bare
from freqmaps.evaluation._defences import compared
from freqmaps.models import predict_logits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from freqmaps.results.reader import Inputs

    Right = NDArray[np.bool_]

NEEDS = ()
LIBRARIES = ("pyautoattack",)
RANGES = {
    "epsilon": "(0, 1)",
    "steps": "[1, 1e6)",
    "restarts": "[1, 10000)",
    "step": "(0, 1)",
    "images": "[1, 1e9)",
    "iterations": "[1, 1e6)",
    "targets": "[1, 1e6)",
    "queries": "[1, 1e9)",
    "block": "[1, 1e6)",
}
TINY = {"epsilon": 0.1, "steps": 3, "restarts": 2, "images": 12, "iterations": 2, "targets": 2, "queries": 5}

CLEAN, WORST = "clean", "worst"
PARTS = ("fgsm", "pgd", "cw", "autoattack", "checks")


def compute(
    inputs: Inputs,
    network: Network,
    *,
    seed: int,
    parts: list[Literal["fgsm", "pgd", "cw", "autoattack", "checks"]] | None = None,
    epsilon: float = 0.03137254901960784,
    steps: int = 50,
    restarts: int = 10,
    step: float | None = None,
    images: int | None = None,
    iterations: int = 100,
    targets: int = 9,
    queries: int = 5000,
    block: int = 64,
) -> Evaluated:
    """Return the accuracy without an attack and under each, and the checks for masked gradients.

    Parameters
    ----------
    inputs, network
        The results (none is read); the network.
    seed
        Of random starts and squares.
    parts
        Some of ``fgsm`` (one step of epsilon from the clean image), ``pgd`` (cross-entropy), ``cw`` (PGD on the margin
        max_{j ≠ y} z_j − z_y, as in Chan et al.), ``autoattack`` (version ``standard``) and ``checks``; None: all.
    epsilon
        The ℓ∞ budget for images in [0, 1]; the default is 8/255.
    steps, restarts, step
        Of ``pgd`` and ``cw``: steps of each restart, random starts, and the size of a step; None: epsilon / 4.
    images
        How many of the run's samples, from the first; None: all.
    iterations, targets, queries, block
        Of AutoAttack: iterations of APGD and FAB, wrong classes that targeted parts aim at, queries of Square, and
        images taken together.

    Returns
    -------
    Evaluated
        Rows: ``attack``: ``clean``; ``fgsm``, ``pgd``, ``cw``; ``apgd-ce``, ``apgd-t`` and ``fab-t``: right under this
        part of AutoAttack and those before it; ``square``: right under Square alone; ``autoattack``: right under all
        four; ``worst``: right under all of these; ``gradient`` (``network``, or ``none``); those of every evaluation;
        ``lost`` against ``clean`` (``gained`` is 0). ``measure`` is ``accuracy`` or ``check``: of a check, ``value`` is
        1 if it is passed, ``attack`` its name, ``limit`` the accuracy that the attack should reach or fall below,
        ``reached`` the one that it has, and ``lost`` and ``gained`` lead from the former to the latter. The checks:
        ``iterative at least one-step`` (PGD against FGSM), ``more steps`` (PGD against itself with one more start of
        three times the steps), ``white-box at least black-box`` (all others against Square), ``unbounded reaches 0``
        (APGD with a budget that reaches every image). ``reason`` says what is missing: a part of AutoAttack that needs
        more classes has ``n`` 0. Samples: a column per attack, 1 where the image stays right, else 0.

    Raises
    ------
    FreqmapsError
        No such part.
    """
    for part in parts or []:
        if part not in PARTS:
            raise FreqmapsError(f"robustness: no part '{part}'; {nearest(part, PARTS)}")
    n = len(network.samples.ids) if images is None else min(images, len(network.samples.ids))
    pgd = Restarts(epsilon, epsilon / 4 if step is None else step, steps, restarts)
    budget = Budget("linf", epsilon, iterations, targets, queries, block)
    attacker = Attacker(network.samples.at(np.arange(n)), seed, network.device)
    classes = predict_logits(network.classifier, attacker.samples.images[:1], device=network.device).shape[1]
    trial = _Trial(network, attacker, pgd, budget, classes)
    rights = _rights(trial, PARTS if parts is None else parts)
    rows = [*_accuracies(trial, rights), *(_checks(trial, rights) if parts is None or "checks" in parts else ())]
    samples = [
        {"sample": sample} | {attack: int(right[row]) for attack, right in rights.items()}
        for row, sample in enumerate(trial.attacker.samples.ids)
    ]
    return Evaluated(rows, samples)


@dataclass(frozen=True)
class _Trial:
    """A network, whose samples are attacked, and how hard."""

    network: Network
    attacker: Attacker
    pgd: Restarts
    budget: Budget
    classes: int

    def unbroken(self, attack: Restarts, among: Right) -> Right:
        """Return which of some images stay right under PGD."""
        rows = np.flatnonzero(among)
        samples, right = self.attacker.samples.at(rows), np.zeros_like(among)
        right[rows] = unbroken(
            self.network.classifier, samples.images, samples.labels, attack, seed=self.attacker.seed,
            positions=samples.positions, device=self.network.device,
        )  # fmt: skip
        return right

    def withstands(self, part: str, among: Right) -> Right:
        """Return which of some images stay right under a part of AutoAttack."""
        rows = np.flatnonzero(among)
        right = np.zeros_like(among)
        if len(rows):
            attacker = replace(self.attacker, samples=self.attacker.samples.at(rows))
            target = bare(self.network.classifier, self.classes)
            right[rows] = attacker.right(target, attacker.images(target.judge, self.budget.plan(part)))
        return right

    @property
    def lacking(self) -> list[str]:
        """Parts of AutoAttack that need more classes than the network has."""
        return [part for part in STANDARD if self.classes < CLASSES[part]]


def _rights(trial: _Trial, parts: Sequence[str]) -> dict[str, Right]:
    """Return which images are right, by attack; what is wrong without an attack is wrong under each."""
    samples = trial.attacker.samples
    clean = np.asarray(trial.network.predict(samples.images) == samples.labels)
    pgd, epsilon = trial.pgd, trial.pgd.epsilon
    plans = {
        "fgsm": Restarts(epsilon, epsilon, steps=1, random_start=False),
        "pgd": pgd,
        "cw": replace(pgd, loss="margin"),
    }
    rights = {CLEAN: clean} | {name: trial.unbroken(plan, clean) for name, plan in plans.items() if name in parts}
    if "autoattack" in parts:
        rights |= _autoattack(trial, clean)
    rights[WORST] = np.logical_and.reduce(list(rights.values()))
    return rights


def _autoattack(trial: _Trial, clean: Right) -> dict[str, Right]:
    """Attack with each part what those before it left; with Square, whose strength is a check, all that is right."""
    rights: dict[str, Right] = {}
    left = clean
    for part in STANDARD:
        if part not in trial.lacking:
            rights[part] = trial.withstands(part, clean if part == "square" else left)
            left = left & rights[part]
    return rights | {"autoattack": left}


def _accuracies(trial: _Trial, rights: dict[str, Right]) -> Iterator[Row]:
    without = {"limit": nan, "reached": nan}
    for attack, right in rights.items():
        gradient = NO_GRADIENT if attack in (CLEAN, "square") else NETWORK
        lacks = ", ".join(trial.lacking) if attack == "autoattack" else ""
        reason = f"without {lacks}: the network has {trial.classes} classes" if lacks else ""
        yield compared(rights[CLEAN], right, attack=attack, gradient=gradient) | without | {"reason": reason}
    for part in trial.lacking if "autoattack" in rights else ():
        nothing = np.zeros(0, bool)
        reason = f"{part} needs {CLASSES[part]} classes, the network has {trial.classes}"
        yield compared(nothing, nothing, attack=part, gradient=NETWORK) | without | {"reason": reason}


def _checks(trial: _Trial, rights: dict[str, Right]) -> Iterator[Row]:
    """Say whether attacks that know more, or try harder, reach as much: each against the one that it must not trail."""
    rows = []
    if {"fgsm", "pgd"} <= rights.keys():
        rows.append(check("iterative at least one-step", rights["fgsm"], rights["pgd"]))
    if "pgd" in rights:
        more = replace(trial.pgd, steps=LONGER * trial.pgd.steps, restarts=1, first=trial.pgd.restarts)
        rows.append(check("more steps", trial.unbroken(more, rights["pgd"]), rights["pgd"]))
    if "square" in rights:
        white = [right for attack, right in rights.items() if attack not in (CLEAN, "square", "autoattack", WORST)]
        rows.append(check("white-box at least black-box", rights["square"], np.logical_and.reduce(white)))
    rows.append(reaches_every(unbounded(trial.attacker, trial.budget, bare(trial.network.classifier, trial.classes))))
    yield from (row | {"reason": ""} for row in rows)

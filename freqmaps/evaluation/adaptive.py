"""The two-pass classifier, attacked by one who knows its maps: what Basile et al. (IV-G) leave open.

The attacker differentiates the whole model: through the map that the first prediction chooses, and through the choice
itself (its soft version's gradient: BPDA). He has PGD and AutoAttack's parts, one without gradients among them, and
what he makes against the bare network; what counts of each image is the worst that any of them does to it.
The checks for masked gradients are those of Athalye, Carlini and Wagner (ICML 2018, section 3.1) and Carlini et al.,
"On evaluating adversarial robustness", 2019, section 3: where one fails, the accuracies are too high.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import nan
from typing import TYPE_CHECKING, Literal

import numpy as np

from freqmaps.evaluation._api import Network, Row
from freqmaps.evaluation._attackers import CHOICE, CHOSEN, NO_GRADIENT, Attacker, Budget, Target, Trial, bare, defended
from freqmaps.evaluation._defences import BARE, compared, defences
from freqmaps.inference.intervals import paired_change

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from freqmaps.results.reader import Inputs

    Rights = dict[tuple[str, str], NDArray[np.bool_]]

NEEDS = ("group_maps",)
BASES = ("fourier",)
UNSEEN = True
LIBRARIES = ("foolbox", "eagerpy", "pyautoattack")
RANGES = {
    "epsilon": {"norm": {"linf": "(0, 1)", "l2": "(0, 1000)"}},
    "images": "[1, 1e9)",
    "steps": "[1, 1e6)",
    "targets": "[1, 1e6)",
    "queries": "[1, 1e9)",
    "temperature": "(0, 1e6)",
    "block": "[1, 1e6)",
}
TINY = {"group_maps": "tiny", "epsilon": 0.1, "images": 9, "steps": 2, "targets": 2, "queries": 5}

CLEAN, TRANSFER, WORST = "clean", "transfer", "worst"


def compute(
    inputs: Inputs,
    network: Network,
    *,
    seed: int,
    group_maps: str,
    defended_by: list[str] | None = None,
    norm: Literal["linf", "l2"] = "linf",
    epsilon: float = 0.03137254901960784,
    images: int | None = 128,
    steps: int = 100,
    targets: int = 9,
    queries: int = 1000,
    temperature: float = 1.0,
    block: int = 64,
) -> list[Row]:
    """Return the accuracy under each attack, of the bare network and with each set of maps, and the checks.

    Parameters
    ----------
    inputs, network
        The results; the network.
    seed
        Of random starts and squares.
    group_maps, defended_by
        A setting with ``groups: class``, and which of its sets of maps defend (``essential``, or names of attacks);
        None: all.
    norm, epsilon
        The budget of all attacks, for images in [0, 1]; the default is 8/255.
    images
        How many of the run's samples, from the first; None: all.
    steps
        Of PGD, APGD and FAB; ``pgd-long`` makes three times as many.
    targets
        Wrong classes that targeted attacks aim at.
    queries
        Of Square; AutoAttack has 5000.
    temperature
        Of the soft choice whose gradient stands for the hard one's.
    block
        Images that AutoAttack's parts take together.

    Returns
    -------
    list of dict
        Columns ``maps`` (``none``: the bare network), ``attack`` (``clean``; ``pgd``, ``pgd-long``, ``apgd-ce``,
        ``apgd-dlr``, ``apgd-t``, ``fab-t``, ``square``; ``transfer``, what was made against the bare network, and for
        it what was made against the others; ``worst``, right under all of these), ``gradient`` (``network``, ``chosen
        map``, ``choice`` or ``none``); those of every evaluation; ``lost`` and ``gained``, against the bare network
        under the same attack; ``limit``. ``measure`` is ``accuracy`` or ``check``: of a check, ``value`` is 1 if it
        is passed, ``attack`` its name, ``limit`` the accuracy that the attack should reach or fall below, ``reached``
        the one that it has, and ``lost`` and ``gained`` lead from the former to the latter.
    """
    n = len(network.samples.ids) if images is None else min(images, len(network.samples.ids))
    attacker = Attacker(network.samples.at(np.arange(n)), seed, network.device)
    budget = Budget(norm, epsilon, steps, targets, queries, block)
    maps = defences(inputs, network, group_maps, defended_by)
    plain = bare(network.classifier, len(next(iter(maps.values()))))
    models = {name: defended(network.classifier, half, temperature) for name, half in maps.items()}
    return rows_of(attacker, budget, plain, models)


def rows_of(attacker: Attacker, budget: Budget, plain: Target, models: dict[str, Target]) -> list[Row]:
    """Return the rows of :func:`compute` for a bare network and two-pass networks."""
    own = attacker.trials(plain, budget)
    trials = {name: attacker.trials(model, budget) for name, model in models.items()}
    before = _rights(attacker, plain, own, [t for several in trials.values() for t in several])
    rows = list(_accuracies(before, before, BARE))
    for name, model in models.items():
        found = _rights(attacker, model, trials[name], own)
        rows += _accuracies(before, found, name)
        rows += _checks(found, _unbounded(attacker, budget, model), name)
    return rows


def _rights(attacker: Attacker, target: Target, own: list[Trial], others: list[Trial]) -> Rights:
    """Return which images the target has right, by attack and gradient."""
    found: Rights = {(CLEAN, NO_GRADIENT): attacker.right(target, attacker.samples.images)}
    found |= {(t.part, t.gradient): attacker.right(target, t.images) for t in own}
    found[TRANSFER, NO_GRADIENT] = attacker.unbeaten(target, others)
    found[WORST, NO_GRADIENT] = np.logical_and.reduce(list(found.values()))
    return found


def _accuracies(before: Rights, found: Rights, maps: str) -> Iterator[Row]:
    plain = {part: right for (part, _), right in before.items()}
    for (part, gradient), right in found.items():
        row = compared(plain[part], right, maps=maps, attack=part, gradient=gradient)
        yield row | {"limit": nan, "reached": nan}


def _unbounded(attacker: Attacker, budget: Budget, target: Target) -> NDArray[np.bool_]:
    """Return which images are right under APGD with a budget that reaches every image."""
    plan = budget.unbounded(attacker.samples.images[0].size).plan("apgd-ce")
    found = [Trial("apgd-ce", name, attacker.images(model, plan)) for name, (model, _) in target.gradients.items()]
    return attacker.unbeaten(target, found)


def _checks(found: Rights, unbounded: NDArray[np.bool_], maps: str) -> Iterator[Row]:
    """Say whether attacks that know more, or try harder, reach as much: each against the one that it must not trail."""
    white = np.logical_and.reduce([r for (_, gradient), r in found.items() if gradient in (CHOSEN, CHOICE)])
    yield _check("more steps", found["pgd", CHOSEN], found["pgd-long", CHOSEN], maps)
    yield _check("white-box at least transfer", found[TRANSFER, NO_GRADIENT], white, maps)
    yield _check("white-box at least black-box", found["square", NO_GRADIENT], white, maps)
    row = _check("unbounded reaches 0", np.zeros_like(unbounded), unbounded, maps)
    yield row | {"value": float(not unbounded.any())}


def _check(name: str, weaker: NDArray[np.bool_], stronger: NDArray[np.bool_], maps: str) -> Row:
    """Return a check's row: failed if the 95 % interval says that the attack that ought to be stronger is weaker."""
    row = compared(weaker, stronger, maps=maps, attack=name, gradient=NO_GRADIENT)
    failed = paired_change(row["lost"], row["gained"], row["n"]).low > 0
    about = {"measure": "check", "value": float(not failed), "low": nan, "high": nan}
    return row | about | {"limit": float(weaker.mean()), "reached": float(stronger.mean())}

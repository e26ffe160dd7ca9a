"""Defended networks against an attacker who knows the defence: accuracies, and the checks for masked gradients.

What counts of each image is the worst that any attack does to it, those among them that were made against the network
without a defence. The checks for masked gradients are those of Athalye, Carlini and Wagner (ICML 2018, section 3.1) and
Carlini et al., "On evaluating adversarial robustness", 2019, section 3: where one fails, the accuracies are too high.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import nan
from typing import TYPE_CHECKING

import numpy as np

from freqmaps.evaluation._api import Row
from freqmaps.evaluation._attackers import NO_GRADIENT, Attacker, Budget, Target, Trial
from freqmaps.evaluation._defences import compared
from freqmaps.inference.intervals import paired_change

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rights = dict[tuple[str, str], NDArray[np.bool_]]

CLEAN, TRANSFER, WORST = "clean", "transfer", "worst"


def adaptive_rows(
    attacker: Attacker, budget: Budget, plain: Target, models: Mapping[str, Target], stored: Sequence[Trial] = ()
) -> Iterator[tuple[str, Row]]:
    """Return the accuracy under each attack, without and with each defence, and the checks.

    Parameters
    ----------
    attacker, budget
        Whose samples, and how far and hard he tries.
    plain, models
        The network without a defence, and with each, by the defence's name.
    stored
        What else was made against the network without a defence, within the budget.

    Yields
    ------
    tuple
        The defence (empty: none) and a row: ``attack`` (``clean``; an attack of the budget; ``transfer``, right under
        all that was made against the network without a defence, and for it under all that was made against the others;
        ``worst``, right under all of these), ``gradient`` (see :class:`Target`), those of every evaluation, ``lost``
        and ``gained`` against no defence under the same attack. ``measure`` is ``accuracy`` or ``check``: of a check,
        ``value`` is 1 if it is passed, ``attack`` its name, ``limit`` the accuracy that the attack should reach or fall
        below, ``reached`` the one that it has, and ``lost`` and ``gained`` lead from the former to the latter.
    """
    own = [*stored, *attacker.trials(plain, budget)]
    trials = {name: attacker.trials(model, budget) for name, model in models.items()}
    before = _rights(
        attacker, plain, own[len(stored) :], [*stored, *(t for several in trials.values() for t in several)]
    )
    yield from (("", row) for row in _accuracies(before, before))
    for name, model in models.items():
        rights = _rights(attacker, model, trials[name], own)
        checks = _checks(rights, unbounded(attacker, budget, model), next(iter(model.gradients)))
        yield from ((name, row) for row in (*_accuracies(before, rights), *checks))


def _rights(attacker: Attacker, target: Target, own: Sequence[Trial], others: Sequence[Trial]) -> Rights:
    """Return which images the target has right, by attack and gradient."""
    rights: Rights = {(CLEAN, NO_GRADIENT): attacker.right(target, attacker.samples.images)}
    rights |= {(t.part, t.gradient): attacker.right(target, t.images) for t in own}
    rights[TRANSFER, NO_GRADIENT] = attacker.unbeaten(target, others)
    rights[WORST, NO_GRADIENT] = np.logical_and.reduce(list(rights.values()))
    return rights


def _accuracies(before: Rights, after: Rights) -> Iterator[Row]:
    plain = {part: right for (part, _), right in before.items()}
    for (part, gradient), right in after.items():
        yield compared(plain[part], right, attack=part, gradient=gradient) | {"limit": nan, "reached": nan}


def unbounded(attacker: Attacker, budget: Budget, target: Target) -> NDArray[np.bool_]:
    """Return which images are right under APGD with a budget that reaches every image."""
    plan = budget.unbounded(attacker.samples.images[0].size).plan("apgd-ce")
    trials = [Trial("apgd-ce", name, attacker.images(model, plan)) for name, (model, _) in target.gradients.items()]
    return attacker.unbeaten(target, trials)


def _checks(rights: Rights, beyond: NDArray[np.bool_], gradient: str) -> Iterator[Row]:
    """Say whether attacks that know more, or try harder, reach as much: each against the one that it must not trail."""
    white = np.logical_and.reduce([right for (_, through), right in rights.items() if through != NO_GRADIENT])
    yield check("more steps", rights["pgd", gradient], rights["pgd-long", gradient])
    yield check("white-box at least transfer", rights[TRANSFER, NO_GRADIENT], white)
    yield check("white-box at least black-box", rights["square", NO_GRADIENT], white)
    yield reaches_every(beyond)


def reaches_every(beyond: NDArray[np.bool_]) -> Row:
    """Return the row of the check that no image is right under a budget that reaches every image."""
    row = check("unbounded reaches 0", np.zeros_like(beyond), beyond)
    return row | {"value": float(not beyond.any())}


def check(name: str, weaker: NDArray[np.bool_], stronger: NDArray[np.bool_]) -> Row:
    """Return a check's row: failed if the 95 % interval says that the attack that ought to be stronger is weaker."""
    row = compared(weaker, stronger, attack=name, gradient=NO_GRADIENT)
    failed = paired_change(row["lost"], row["gained"], row["n"]).low > 0
    about = {"measure": "check", "value": float(not failed), "low": nan, "high": nan}
    return row | about | {"limit": float(weaker.mean()), "reached": float(stronger.mean())}

"""PGD: repeated gradient steps from a random start, projected onto the budget.

Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018, section 2.1.
The random start is uniform in the budget's ball and belongs to the sample, not to its batch.
"""

from __future__ import annotations

from typing import Literal

from freqmaps.attacks._api import AttackPlan
from freqmaps.attacks._foolbox import attacks, plan

LIBRARIES = ("foolbox", "eagerpy")
RANGES = {
    "epsilon": {"norm": {"linf": "(0, 1)", "l2": "(0, 1000)"}},
    "steps": "[1, 1e6)",
    "step": "(0, 1000)",
    "restarts": "[1, 10000)",
}
TINY = {"epsilon": 0.1, "steps": 3}


def build(
    *,
    norm: Literal["linf", "l2"] = "linf",
    epsilon: float = 0.03137254901960784,
    steps: int = 40,
    step: float | None = None,
    random_start: bool = True,
    restarts: int = 1,
) -> AttackPlan:
    """Return the attack.

    Parameters
    ----------
    norm
        Of the budget and of the steps.
    epsilon
        Budget for images in [0, 1]; the default is 8/255.
    steps
        How many; Foolbox's default is 40 (ℓ∞) or 50 (ℓ2).
    step
        Size of one step, absolute; None: as in Foolbox, epsilon / 30 (ℓ∞) or epsilon / 40 (ℓ2).
    random_start
        Whether to start at a random point of the budget's ball, or at the clean image.
    restarts
        Repeat with as many random starts and keep the first success.
    """
    kind = attacks.LinfProjectedGradientDescentAttack if norm == "linf" else attacks.L2ProjectedGradientDescentAttack
    size = epsilon / (30 if norm == "linf" else 40) if step is None else step
    once = kind(abs_stepsize=size, steps=steps, random_start=random_start)
    return plan("pgd", once if restarts == 1 else once.repeat(restarts), norm, epsilon)

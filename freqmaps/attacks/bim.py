"""BIM: repeated gradient steps from the clean image, projected onto the budget.

Kurakin, Goodfellow, Bengio, "Adversarial examples in the physical world", 2017, section 2.2.
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
}
TINY = {"epsilon": 0.1, "steps": 3}


def build(
    *,
    norm: Literal["linf", "l2"] = "linf",
    epsilon: float = 0.03137254901960784,
    steps: int = 10,
    step: float | None = None,
) -> AttackPlan:
    """Return the attack.

    Parameters
    ----------
    norm
        Of the budget and of the steps.
    epsilon
        Budget for images in [0, 1]; the default is 8/255.
    steps
        How many.
    step
        Size of one step, absolute; None: epsilon / 5, as in Foolbox.
    """
    kind = attacks.LinfBasicIterativeAttack if norm == "linf" else attacks.L2BasicIterativeAttack
    size = epsilon / 5 if step is None else step
    return plan("bim", kind(abs_stepsize=size, steps=steps, random_start=False), norm, epsilon)

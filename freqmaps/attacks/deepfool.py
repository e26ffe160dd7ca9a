"""DeepFool: steps to the nearest boundary of the linearised network, until the class changes.

Moosavi-Dezfooli, Fawzi, Frossard, "DeepFool: a simple and accurate method to fool deep neural networks", CVPR 2016,
algorithm 2 and section 3.3 (other norms). Where it fails it returns its last attempt.
"""

from __future__ import annotations

from typing import Literal

from freqmaps.attacks._api import AttackPlan
from freqmaps.attacks._foolbox import attacks, plan

LIBRARIES = ("foolbox", "eagerpy")
RANGES = {"steps": "[1, 1e6)", "candidates": "[2, 1e6)", "overshoot": "[0, 1000)"}
TINY = {"steps": 10, "candidates": 3}
#: It stops where the class changes: measured on CIFAR-10, after some 8 % of all steps times candidates.
COST = 0.08


def build(
    *,
    norm: Literal["linf", "l2"] = "linf",
    steps: int = 50,
    candidates: int | None = 10,
    overshoot: float = 0.02,
    loss: Literal["logits", "crossentropy"] = "logits",
) -> AttackPlan:
    """Return the attack.

    Parameters
    ----------
    norm
        Which norm to minimise.
    steps
        At most as many.
    candidates
        How many of the likeliest classes are tried; None: all.
    overshoot
        How far to go beyond the boundary, as a share of the perturbation.
    loss
        Whose differences between classes are linearised.
    """
    kind = attacks.LinfDeepFoolAttack if norm == "linf" else attacks.L2DeepFoolAttack
    return plan("deepfool", kind(steps=steps, candidates=candidates, overshoot=overshoot, loss=loss), norm, None)

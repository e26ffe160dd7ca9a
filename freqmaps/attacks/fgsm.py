"""FGSM: one step of the full budget along the sign of the gradient.

Goodfellow, Shlens, Szegedy, "Explaining and harnessing adversarial examples", ICLR 2015, section 4:
x' = clip(x + ε sign ∇ₓ CE(f(x), y)), in the ℓ∞ norm.
"""

from __future__ import annotations

from freqmaps.attacks._api import AttackPlan
from freqmaps.attacks._foolbox import attacks, plan

LIBRARIES = ("foolbox", "eagerpy")
RANGES = {"epsilon": "(0, 1)"}
TINY = {"epsilon": 0.1}


def build(*, epsilon: float = 0.03137254901960784) -> AttackPlan:
    """Return the attack.

    Parameters
    ----------
    epsilon
        ℓ∞ budget for images in [0, 1]; the default is 8/255.
    """
    return plan("fgsm", attacks.LinfFastGradientAttack(random_start=False), "linf", epsilon)

"""FGM: one step of the full budget along the normalised gradient.

The ℓ2 form of FGSM (Goodfellow, Shlens, Szegedy, ICLR 2015), as in Miyato, Dai, Goodfellow, "Adversarial training
methods for semi-supervised text classification", ICLR 2017, eq. 5: x' = clip(x + ε g / ‖g‖₂), g = ∇ₓ CE(f(x), y).
"""

from __future__ import annotations

from freqmaps.attacks._api import AttackPlan
from freqmaps.attacks._foolbox import attacks, plan

LIBRARIES = ("foolbox", "eagerpy")
RANGES = {"epsilon": "(0, 1000)"}
TINY = {"epsilon": 1.0}


def build(*, epsilon: float = 0.5) -> AttackPlan:
    """Return the attack.

    Parameters
    ----------
    epsilon
        ℓ2 budget over all channels, for images in [0, 1].
    """
    return plan("fgm", attacks.L2FastGradientAttack(random_start=False), "l2", epsilon)

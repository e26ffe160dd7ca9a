"""CW: the smallest ℓ2 perturbation that changes the class, by Adam on a weighted sum of margin and norm.

Carlini, Wagner, "Towards evaluating the robustness of neural networks", IEEE S&P 2017, section VI.A.
Where it finds nothing it returns the clean image (Foolbox's own would return a black one).
"""

from __future__ import annotations

from freqmaps.attacks._api import AttackPlan
from freqmaps.attacks._foolbox import attacks, plan

LIBRARIES = ("foolbox", "eagerpy")
RANGES = {
    "binary_search_steps": "[1, 1000)",
    "steps": "[1, 1e6)",
    "stepsize": "(0, 1000)",
    "confidence": "[0, 1000)",
    "initial_const": "(0, 1e10)",
}
TINY = {"binary_search_steps": 3, "steps": 20, "stepsize": 0.05, "initial_const": 0.1}


def build(
    *,
    binary_search_steps: int = 9,
    steps: int = 1000,
    stepsize: float = 0.01,
    confidence: float = 0.0,
    initial_const: float = 0.001,
) -> AttackPlan:
    """Return the attack.

    Foolbox's early abort is off: it looks at the loss of the whole batch, so a sample's result would depend on the
    others. ASSUME: for that reason 1000 steps (Foolbox: at most 10 000) are enough.

    Parameters
    ----------
    binary_search_steps
        Of the search for each sample's weight.
    steps
        Of Adam within each step of the search.
    stepsize
        Adam's.
    confidence
        By how much the wrong class's logit must lead.
    initial_const
        The weight that the search begins with.
    """
    attack = attacks.L2CarliniWagnerAttack(
        binary_search_steps=binary_search_steps,
        steps=steps,
        stepsize=stepsize,
        confidence=confidence,
        initial_const=initial_const,
        abort_early=False,
    )
    return plan("cw", attack, "l2", None, black_if_none=True)

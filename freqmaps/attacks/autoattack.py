"""AutoAttack: APGD on two losses, FAB and Square, each on what the others left, without parameters to tune.

Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks",
ICML 2020; the defaults are its version ``standard``. An image that is wrong without an attack is left as it is.
"""

from __future__ import annotations

from typing import Literal

from freqmaps.attacks._api import AttackPlan
from freqmaps.attacks._autoattack import STANDARD, Ensemble

LIBRARIES = ("pyautoattack",)
RANGES = {
    "epsilon": {"norm": {"linf": "(0, 1)", "l2": "(0, 1000)"}},
    "steps": "[1, 1e6)",
    "targets": "[1, 1e6)",
    "queries": "[1, 1e9)",
    "block": "[1, 1e6)",
}
TINY = {"epsilon": 0.1, "steps": 3, "targets": 2, "queries": 10}
# ASSUME: an undefended network, which the first part fools on nearly all images. Where no part does, a standard run
# makes some fifty times as many passes.
COST = 1.2


def build(
    *,
    norm: Literal["linf", "l2"] = "linf",
    epsilon: float = 0.03137254901960784,
    parts: list[str] | None = None,
    steps: int = 100,
    targets: int = 9,
    queries: int = 5000,
    block: int = 64,
) -> AttackPlan:
    """Return the attack.

    Parameters
    ----------
    norm
        Of the budget.
    epsilon
        Budget for images in [0, 1]; the default is 8/255.
    parts
        Which, in order, of ``apgd-ce``, ``apgd-dlr``, ``apgd-t``, ``fab-t`` and ``square``; None: all but
        ``apgd-dlr``, the version ``standard``, without ``apgd-t`` for networks of two or three classes.
    steps
        Of APGD and FAB, per target.
    targets
        Wrong classes that ``apgd-t`` and ``fab-t`` aim at, the most likely first; at most all of them.
    queries
        Of Square.
    block
        How many positions are attacked together; let it divide the size of the shards.

    Raises
    ------
    FreqmapsError
        No such part.
    """
    ensemble = Ensemble(STANDARD if parts is None else tuple(parts), norm, epsilon, steps, targets, queries)
    return AttackPlan("autoattack", ensemble, norm, epsilon, block)

"""FMN: the smallest perturbation that changes the class, by gradient steps in a ball whose radius adapts.

Pintor, Roli, Brendel, Biggio, "Fast minimum-norm adversarial attacks through adaptive norm constraints",
NeurIPS 2021, algorithm 1. Where it finds nothing it returns the clean image.
"""

from __future__ import annotations

from typing import Any, Literal

import eagerpy as ep

from freqmaps.attacks._api import AttackPlan
from freqmaps.attacks._foolbox import attacks, plan

LIBRARIES = ("foolbox", "eagerpy")
RANGES = {"steps": "[1, 1e6)", "max_stepsize": "(0, 1000)", "min_stepsize": "(0, 1000)", "gamma": "(0, 1)"}
TINY = {"steps": 20}


class _L2FMN(attacks.L2FMNAttack):  # type: ignore[misc]
    """The ℓ2 form. Foolbox 3.3.4's divides the norm by itself and so never projects; here it does.

    Onto the ball and [0, 1] together: clipping after the projection shortens a perturbation of an image with black
    or white areas, so that it would stop short of the boundary.
    """

    def project(self, x: Any, x0: Any, epsilon: Any) -> Any:
        """Scale ``x - x0`` to a norm of at most ``epsilon`` (n,) within [0, 1], in a few alternating rounds."""

        def size(delta: Any) -> Any:
            return ep.maximum(delta.flatten(start=1).norms.l2(axis=-1), 1e-12)

        delta = x - x0
        target = ep.minimum(epsilon, size(delta))
        for _ in range(3):
            factor = (target / size(delta)).reshape((-1, *(1 for _ in x0.shape[1:])))
            delta = (x0 + delta * factor).clip(0, 1) - x0
        return x0 + delta


def build(
    *,
    norm: Literal["linf", "l2"] = "linf",
    steps: int = 100,
    max_stepsize: float = 1.0,
    min_stepsize: float | None = None,
    gamma: float = 0.05,
) -> AttackPlan:
    """Return the attack.

    Parameters
    ----------
    norm
        Which norm to minimise.
    steps
        How many.
    max_stepsize, min_stepsize
        Size (ℓ2) of the first and the last gradient step, cosine in between; None: a hundredth of the first.
    gamma
        Relative change of the radius per step at the beginning; falls to 0.001.
    """
    kind = attacks.LInfFMNAttack if norm == "linf" else _L2FMN
    attack = kind(steps=steps, max_stepsize=max_stepsize, min_stepsize=min_stepsize, gamma=gamma)
    return plan("fmn", attack, norm, None)

"""FGSM training: adversarial training whose attack is one step of the sign of the gradient.

Goodfellow, Shlens and Szegedy, "Explaining and harnessing adversarial examples", ICLR 2015, equation 1, on attacked
images alone; from a random start as in Wong, Rice and Kolter, "Fast is better than free", ICLR 2020, algorithm 3. It
can overfit catastrophically: the network learns to hide its gradient from the one step, and PGD breaks it.
``robust_images`` in the settings of the training watches for that.
"""

from __future__ import annotations

from typing import Literal

from freqmaps.training.regimes._api import Regime
from freqmaps.training.regimes.adversarial import Adversarial

RANGES = {"epsilon": "(0, 1)", "step": "(0, 1)", "warmup": "[0, 100000)"}
TINY = {"epsilon": 0.1}
COST = 1.0


def build(
    *,
    epsilon: float = 0.03137254901960784,
    step: float | None = None,
    start: Literal["zero", "random"] = "zero",
    warmup: float = 0.0,
    warms: Literal["epsilon", "step"] = "epsilon",
    attack_in_eval: bool = False,
) -> Regime:
    """Return the regime.

    Parameters
    ----------
    epsilon
        Largest change of a pixel, for images in [0, 1]; the default is 8/255.
    step
        Size of the one step; None: ``epsilon``. Wong, Rice and Kolter take 1.25 times epsilon with a random start.
    start
        ``zero``: the step is taken from the image; ``random``: from a uniformly random point of the budget.
    warmup
        Epochs in which the attack grows from nothing, step by step of the training; 0: it has its full size at once.
    warms
        What grows: ``epsilon``, and the attack's step in proportion; or its ``step`` alone.
    attack_in_eval
        Whether batch norm uses its running statistics while the gradient of the attack is taken.
    """
    size = epsilon if step is None else step
    return Adversarial(epsilon, size, 1, start == "random", attack_in_eval, "unit", warmup, warms)

"""Settings of the map optimisation: what the config may set beside the objective's own parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from freqmaps.core import limits

RANGES = {
    "learning_rate": "(0, 10)",
    "warmup": "[0, 1]",
    "min_steps": "[0, 1e9)",
    "max_steps": "[min_steps, 1e9)",
    "window": "[1, 1e6)",
    "tolerance": "[0, 1e9]",
    "patience": "[1, 1e9)",
    "settling": {"schedule": {"constant": "[0, 1e9)", "one_cycle": "[0, 0]"}},
}

#: Settings that joined later, with the values at which every map is what it was without them.
NEUTRAL = {"settling": 0}


@dataclass(frozen=True, kw_only=True)
class MapSettings:
    """How a map is optimised, and when it is finished.

    The defaults are those of Basile et al. (section III; the stopping rule is their code's). For the single-image masks
    of Karantzas et al.: ``learning_rate=0.2, schedule="one_cycle", stop="quiet", min_steps=0, max_steps=20000``. Their
    code spreads the cycle over two hundred times as many steps as it makes, so that its rate stays between 0.008 and
    0.010: nearly ``learning_rate=0.008, schedule="constant"``.

    Attributes
    ----------
    learning_rate
        Adam's step, or the largest one of the cycle.
    schedule
        ``constant``: neither the rate nor Adam's first beta, 0.9, moves. ``one_cycle``: each map has its own position
        in a cycle over the ``max_steps + 1`` steps that it may make; along cosines, the rate goes up from 1/25 and down
        to 1/250000, and the first beta from 0.95 to 0.85 and back: what torch's OneCycleLR does unless told not to.
    warmup
        Share of the cycle in which the rate rises, from 0 to 1. The papers do not say; Karantzas et al.'s code has 0.1.
    stop
        ``settled``: when the loss has settled. ``quiet``: when it has stayed settled for ``patience`` steps running,
        and the image filtered by the map as it stands is classified as the target.
    min_steps
        No map is tested for convergence before it has made more than this many steps.
    max_steps
        A map that has made more than this many steps is finished without having converged; at least ``min_steps``.
        As in the authors' code, whose counter is tested after the step, the last step has number ``max_steps + 1``.
    window, tolerance
        Settled: the loss differs by less than ``tolerance`` from the mean of the last ``window`` losses, its own
        included. ASSUME: Karantzas et al., who do not say, would call this quiet. Their code looks at two successive
        steps, between which the squared change of the loss must move by at most 1e-6 and the relative norm by at most
        1e-5: ``window=2, tolerance=5e-7`` says the same of their weighted sum, the loss.
    patience
        With ``quiet``: how many settled steps in a row; one that is not settled starts the count anew.
    settling
        Steps that each map makes after the stopping rule has ended it (or ``max_steps``), while the rate falls along a
        line to 0; the papers make none, 0. Adam's steps have the size of the rate however near the minimum is, so that
        entries which belong at 0 end just above it; with a falling rate they come to lie at 0. The map as the rule left
        it is put back where settling makes the loss higher or loses the prediction. The steps made include these. With
        ``constant`` only: ``one_cycle`` ends with a rate near 0 by itself.
    """

    learning_rate: float = 0.01
    schedule: Literal["constant", "one_cycle"] = "constant"
    warmup: float = 0.1
    stop: Literal["settled", "quiet"] = "settled"
    min_steps: int = 500
    max_steps: int = 5000
    window: int = 20
    tolerance: float = 1e-5
    patience: int = 300
    settling: int = 0

    def __post_init__(self) -> None:
        limits.check(vars(self), RANGES, "maps")

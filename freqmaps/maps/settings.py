"""Settings of the map optimisation: what the config may set beside the objective's own parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RANGES = {
    "learning_rate": (0.0, 10.0),
    "min_steps": (-1, 1_000_000_000),
    "max_steps": (-1, 1_000_000_000),
    "window": (0, 1_000_000),
    "tolerance": (-1e-300, 1e9),
    "patience": (0, 1_000_000_000),
}


@dataclass(frozen=True, kw_only=True)
class MapSettings:
    """How a map is optimised, and when it is finished.

    The defaults are those of Basile et al. (section III; the stopping rule is their code's). For the single-image masks
    of Karantzas et al.: ``learning_rate=0.2, schedule="one_cycle", stop="quiet", max_steps=20000``.

    Attributes
    ----------
    learning_rate
        Adam's step, or the largest one of the cycle; Adam's other constants are 0.9, 0.999 and 1e-8.
    schedule
        ``constant``, or ``one_cycle``: each map has its own position in a cycle over the ``max_steps + 1`` steps that
        it may make, with the rates of torch's OneCycleLR: a cosine up from a 25th of the largest over the first 30 %,
        and a cosine down to a 250 000th. ASSUME: Adam's first constant does not move with the cycle (K22 is silent).
    stop
        ``settled``: when the loss has settled; ``quiet``: when it has stayed settled for ``patience`` steps running,
        and the image filtered by the map as it stands is classified as the target.
    min_steps
        No map is tested for convergence before it has made more than this many steps.
    max_steps
        A map that has made more than this many steps is finished without having converged; as in the authors' code,
        whose counter is tested after the step, the last step has number ``max_steps + 1``.
    window, tolerance
        Settled: the loss differs by less than ``tolerance`` from the mean of the last ``window`` losses, its own
        included. ASSUME: this is what K22, which has no words on it, would call quiet.
    patience
        With ``quiet``: how many settled steps in a row; one that is not settled starts the count anew.
    """

    learning_rate: float = 0.01
    schedule: Literal["constant", "one_cycle"] = "constant"
    stop: Literal["settled", "quiet"] = "settled"
    min_steps: int = 500
    max_steps: int = 5000
    window: int = 20
    tolerance: float = 1e-5
    patience: int = 300

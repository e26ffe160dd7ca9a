"""Settings of the map optimisation: what the config may set beside the objective's own parameters."""

from __future__ import annotations

from dataclasses import dataclass

RANGES = {
    "learning_rate": (0.0, 10.0),
    "min_steps": (-1, 1_000_000_000),
    "max_steps": (-1, 1_000_000_000),
    "window": (0, 1_000_000),
    "tolerance": (-1e-300, 1e9),
}


@dataclass(frozen=True, kw_only=True)
class MapSettings:
    """How a map is optimised, and when it is finished (Basile et al., section III; the stopping rule is their code's).

    Attributes
    ----------
    learning_rate
        Adam's step; its other constants are 0.9, 0.999 and 1e-8.
    min_steps
        No map is tested for convergence before it has made more than this many steps.
    max_steps
        A map that has made more than this many steps is finished without having converged; as in the authors' code,
        whose counter is tested after the step, the last step has number ``max_steps + 1``.
    window, tolerance
        Converged: the loss differs by less than ``tolerance`` from the mean of the last ``window`` losses, its own
        included.
    """

    learning_rate: float = 0.01
    min_steps: int = 500
    max_steps: int = 5000
    window: int = 20
    tolerance: float = 1e-5

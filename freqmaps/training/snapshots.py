"""Snapshots: a network's weights after chosen steps of its training, each of which is a network like any other.

They are written while the same training runs once more with a hook, which changes no bit of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from torch import Tensor

from freqmaps.training.hooks import Hook, Moment

Weights = Mapping[str, Tensor]


class Snapshots(Hook):
    """Hands out the weights after chosen steps; step 0 is the network before it is trained.

    Parameters
    ----------
    steps
        How many steps the network has been trained for at each snapshot.
    keep
        Called with a step and the weights after it, on the training's device; it must copy what it keeps.
    has
        Whether the weights after a step, which were handed out before an interruption, are still there; None: they are.
    """

    def __init__(
        self, steps: Collection[int], keep: Callable[[int, Weights], None], has: Callable[[int], bool] | None = None
    ) -> None:
        self.steps, self.keep, self.has = frozenset(steps), keep, has

    @property
    def name(self) -> str:
        """What tells this hook from one with other steps: a training that goes on must have had the same."""
        return f"snapshots after {', '.join(map(str, sorted(self.steps)))}"

    def wants(self, step: int) -> bool:
        """Tell whether there is a snapshot after this step, which counts from 0."""
        return step + 1 in self.steps

    def lacks(self, steps: int) -> bool:
        """Tell whether a snapshot of the first steps is gone, or damaged."""
        return self.has is not None and not all(self.has(step) for step in self.steps if step <= steps)

    def before_first_step(self, moment: Moment) -> None:
        """Keep the untrained network."""
        if 0 in self.steps:
            self.keep(0, moment.model.state_dict())

    def after_step(self, moment: Moment) -> None:
        """Keep the network after a step."""
        self.keep(moment.context.step + 1, moment.model.state_dict())

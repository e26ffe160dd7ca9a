"""Snapshots: a network's weights after chosen steps of its training, each of which is a network like any other.

They are written while the same training runs once more with a hook, which changes no bit of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import safetensors.torch
from torch import Tensor

from freqmaps.core.files import write_bytes
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
    """

    def __init__(self, steps: Collection[int], keep: Callable[[int, Weights], None]) -> None:
        self.steps, self.keep = frozenset(steps), keep

    @property
    def name(self) -> str:
        """What tells this hook from one with other steps: a training that goes on must have had the same."""
        return f"snapshots after {', '.join(map(str, sorted(self.steps)))}"

    def wants(self, step: int) -> bool:
        """Tell whether there is a snapshot after this step, which counts from 0."""
        return step + 1 in self.steps

    def before_first_step(self, moment: Moment) -> None:
        """Keep the untrained network."""
        if 0 in self.steps:
            self.keep(0, moment.model.state_dict())

    def after_step(self, moment: Moment) -> None:
        """Keep the network after a step."""
        self.keep(moment.context.step + 1, moment.model.state_dict())


class SnapshotFiles:
    """Weights by step as files of a folder, each whole or not there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, step: int) -> Path:
        """Return the file of a step's weights."""
        return self.folder / f"step{step}.safetensors"

    def write(self, step: int, weights: Weights) -> None:
        """Write the weights of a step.

        Raises
        ------
        StoreError
            The disk is full, or the folder cannot be written.
        """
        # Clones: views of one tensor (tied weights) and strides other than plain are not in the format.
        plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in weights.items()}
        write_bytes(self.path(step), safetensors.torch.save(plain))

    def has(self, steps: Collection[int]) -> bool:
        """Whether all these steps are there."""
        return all(self.path(step).is_file() for step in steps)

    def read(self, step: int) -> dict[str, Tensor]:
        """Return the weights of a step, on the CPU."""
        return safetensors.torch.load(self.path(step).read_bytes())

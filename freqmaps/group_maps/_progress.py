"""The state of the optimisation between epochs, and the sums of loss and accuracy within one epoch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from freqmaps.group_maps._stop import Stopping
from freqmaps.optimise.adam import wide_float
from freqmaps.optimise.descent import Descent
from freqmaps.provenance.unfinished import Arrays

#: What is remembered of each epoch.
HISTORY = ("loss", "accuracy", "adversarial_accuracy", "mean_of_map", "share_of_zeros")
#: Entries below this are zero (Karantzas et al., section 3.2).
ZERO = 1e-8

_TENSORS = ("map", "first", "second", "best")
_RULE = ("quiet", "kept", "converged")


@dataclass
class Progressed(Descent):
    """The state of p maps between two epochs: maps and moments, and how far each is.

    Attributes
    ----------
    best
        Like ``map``: the maps after the last epoch that kept the accuracy.
    steps, epochs
        (p,) int64: made by each map.
    epoch
        Epochs that are done.
    stopping
        How far each is from being finished.
    history
        By name of :data:`HISTORY`, (p, epochs at most) float64; NaN where a map was not optimised.
    """

    best: Tensor
    steps: NDArray[np.int64]
    epochs: NDArray[np.int64]
    epoch: int
    stopping: Stopping
    history: dict[str, NDArray[np.float64]]

    @classmethod
    def start(cls, maps: Tensor, epochs: int) -> Progressed:
        """Return the state before the first epoch."""
        p = len(maps)
        history = {name: np.full((p, epochs), np.nan) for name in HISTORY}
        zero, none = torch.zeros_like(maps), np.zeros(p, np.int64)
        return cls(maps, zero, zero.clone(), maps.clone(), none, none.copy(), 0, Stopping.start(p), history)

    def arrays(self) -> Arrays:
        """Return the state as named arrays."""
        arrays = {name: getattr(self, name).cpu().numpy() for name in _TENSORS}
        arrays |= {name: getattr(self.stopping, name) for name in _RULE}
        arrays |= {f"history_{name}": values for name, values in self.history.items()}
        return arrays | {"steps": self.steps, "epochs": self.epochs, "epoch": np.array(self.epoch)}

    @classmethod
    def restored(cls, arrays: Arrays, device: torch.device) -> Progressed:
        """Return the state that :meth:`arrays` was taken of."""
        return cls(
            **{name: torch.from_numpy(arrays[name]).to(device) for name in _TENSORS},
            steps=arrays["steps"],
            epochs=arrays["epochs"],
            epoch=int(arrays["epoch"]),
            stopping=Stopping(**{name: arrays[name] for name in _RULE}),
            history={name: arrays[f"history_{name}"] for name in HISTORY},
        )


@dataclass
class Tally:
    """Sums over the steps of an epoch, (p,) each.

    Attributes
    ----------
    loss, steps
        Of the objective, and how many steps.
    right, seen
        By kind: images that were given their target, and images.
    """

    loss: Tensor
    steps: Tensor
    right: dict[str, Tensor]
    seen: dict[str, Tensor]

    @classmethod
    def start(cls, count: int, device: torch.device) -> Tally:
        """Return empty sums."""
        zero = torch.zeros(count, dtype=wide_float(device), device=device)
        kinds = ("clean", "adversarial")
        return cls(zero, zero.clone(), {k: zero.clone() for k in kinds}, {k: zero.clone() for k in kinds})

    def add(self, kind: str, owner: Tensor, loss: Tensor, right: Tensor) -> None:
        """Add some images' shares of the data term, and whether they were given their targets."""
        wide = self.loss.dtype
        self.loss.index_add_(0, owner, loss.to(wide))
        self.right[kind].index_add_(0, owner, right.to(wide))
        self.seen[kind].index_add_(0, owner, torch.ones_like(right, dtype=wide))

    def add_penalty(self, live: Tensor, penalty: Tensor) -> None:
        """Add the penalties of the maps that make a step."""
        self.loss.index_add_(0, live, penalty.to(self.loss.dtype))
        self.steps.index_add_(0, live, torch.ones_like(penalty, dtype=self.loss.dtype))

    def figures(self) -> dict[str, NDArray[np.float64]]:
        """Return the mean objective over the steps, and the share of images that were given their targets.

        ASSUME: the accuracy of an epoch is counted as its steps go by, each image filtered by the map of its moment,
        where the authors of Karantzas et al. look at all images once more with the epoch's last map: half as much work
        again, for a figure that differs by what the map moved in half an epoch.
        """
        with np.errstate(invalid="ignore"):
            return {
                "loss": (self.loss / self.steps).double().cpu().numpy(),
                "accuracy": (self.right["clean"] / self.seen["clean"]).double().cpu().numpy(),
                "adversarial_accuracy": (self.right["adversarial"] / self.seen["adversarial"]).double().cpu().numpy(),
            }

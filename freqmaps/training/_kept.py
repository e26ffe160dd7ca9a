"""Weights of snapshots, kept as half-finished work from the step after which they were taken until all are made."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import xarray as xr
from torch import Tensor, nn

from freqmaps.provenance import unfinished
from freqmaps.provenance.unfinished import Place, Unfinished

DECIDES_NUMBERS = False


class SnapshotFiles:
    """Weights by step as half-finished work, a file each; what is damaged or of other work counts as not there.

    Parameters
    ----------
    place
        Where to keep them: that of the last snapshot.
    untrained
        The network with its initial weights.
    parameters
        The spec's, of the training or of any of its snapshots: the training's own job keeps what theirs reads.
    dataset
        The dataset store; of its images the shape and the first eight count, as for the state of a training.
    seed
        Of the training.
    """

    def __init__(
        self, place: Place | Path, untrained: nn.Module, parameters: Mapping[str, Any], dataset: xr.Dataset, seed: int
    ) -> None:
        planned = {name: value for name, value in parameters.items() if name != "step"}
        arrays = {"labels": dataset["label"].values, "first images": dataset["image"][:8].values}
        described = (planned, seed, list(dataset["image"].shape), dataset["split"].values.tolist())
        self.place, self.mark = place, unfinished.mark(*described, model=untrained, arrays=arrays)

    def write(self, step: int, weights: Mapping[str, Tensor]) -> None:
        """Keep the weights of a step, in place of those kept before.

        Raises
        ------
        OSError
            The disk is full, or the folder cannot be written.
        """
        # Clones: views of one tensor (tied weights) and strides other than plain are not in the format.
        plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in weights.items()}
        self._of(step).save(_name(step), safetensors.torch.save(plain))

    def read(self, step: int) -> dict[str, Tensor] | None:
        """Return the weights of a step, on the CPU; None if they are not there."""
        return next(self._of(step).load(_weights, _name(step)), None)

    def has(self, step: int) -> bool:
        """Whether the weights of a step are there and whole."""
        return self.read(step) is not None

    def _of(self, step: int) -> Unfinished:
        # The step is part of the mark: the file of another step is that of other work.
        return Unfinished(self.place, "snapshots", unfinished.mark(self.mark, step))


def _name(step: int) -> str:
    return f"step{step}"


def _weights(content: io.BytesIO) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load(content.getvalue())
    except safetensors.SafetensorError as error:
        raise ValueError(str(error)) from error

"""The interface of evaluations: the network and samples that each is given, and the rows that it returns.

A component of this folder is a module with

* ``NEEDS``: the stages that it reads beside the dataset and the checkpoint, among ``attacks``, ``maps`` and
  ``group_maps``. Its parameters ``attacks``, ``maps`` and ``group_maps``, if it has them, narrow that by name,
  ``images`` by the kind of maps (``essential``, ``adversarial``, ``transferred``, ``noise``), and ``masks_of`` names
  other trainings whose group maps it reads too. ``BASES``, if it has that, are the bases of maps and group maps that
  it can read; ``UNSEEN = True`` refuses group maps that were made from samples that it evaluates on; ``SNAPSHOTS =
  True`` gives it :class:`Networks` in place of the network: all snapshots that the run names, in one result;
* ``compute(inputs, network, *, seed, ...)``, which returns rows: plain mappings, all with the same keys; or an
  :class:`Evaluated` that also has rows about single samples (``sample`` and whatever else), kept in ``samples.csv``, or
  labelled arrays (a mean spectrum, a heat map), kept in ``arrays.zarr.zip``.

Every row has ``measure`` (``accuracy``, ...), ``value``, ``n`` (what it rests on) and the bounds ``low`` and ``high``
of its 95 % interval (NaN where it has none); further keys say what was measured on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from freqmaps.core.errors import FreqmapsError
from freqmaps.inference.proportions import wilson
from freqmaps.models import load_classifier, predict, predict_logits

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr
    from numpy.typing import NDArray

    from freqmaps.models import Classifier
    from freqmaps.stores.selection import Samples

Row = dict[str, Any]
REQUIRED = ("measure", "value", "n", "low", "high")


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation returns.

    Attributes
    ----------
    rows
        About the network.
    samples
        About single samples.
    arrays
        Labelled arrays that keep :data:`freqmaps.stores.ARRAYS`, or None.
    """

    rows: Sequence[Row]
    samples: Sequence[Row] = ()
    arrays: xr.Dataset | None = None


@dataclass(frozen=True)
class Network:
    """The network under evaluation.

    Attributes
    ----------
    classifier
        From images in [0, 1] to logits, on its device.
    device
        Where it runs.
    names
        ``dataset``, ``model``, ``training`` and ``seed``: what selects its results among the inputs.
    samples
        The run's samples.
    """

    classifier: Classifier
    device: torch.device
    names: Mapping[str, str]
    samples: Samples

    def predict(self, images: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the class of each image, (n,) int64, for (n, c, h, w) float32."""
        return predict(self.classifier, images, device=self.device)

    def predict_with_probability(self, images: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the class of each image as :meth:`predict` does, and its probability (softmax of the logits), (n,)."""
        logits = predict_logits(self.classifier, images, device=self.device).double()
        return logits.argmax(dim=1).numpy(), logits.softmax(dim=1).amax(dim=1).numpy()


@dataclass(frozen=True)
class Networks:
    """The networks that an evaluation with ``SNAPSHOTS = True`` looks at: one training's snapshots, or a finished one.

    Iterating loads one after the other, in the order of their steps; each is let go of before the next.

    Attributes
    ----------
    folders
        The checkpoint of each, by its step; by None for the finished network.
    device, names, samples
        As of :class:`Network`; ``names`` are those of the training.
    """

    folders: Mapping[int | None, Path]
    device: torch.device
    names: Mapping[str, str]
    samples: Samples

    def __iter__(self) -> Iterator[tuple[int | None, Network]]:
        """Yield each step with its network, whose ``names`` have the step too."""
        for step, folder in self.folders.items():
            names = dict(self.names) | ({} if step is None else {"step": str(step)})
            yield step, Network(load_classifier(folder, self.device), self.device, names, self.samples)

    def __len__(self) -> int:
        """Return how many networks there are."""
        return len(self.folders)


def accuracy(correct: NDArray[np.bool_], **what: Any) -> Row:
    """Return a row with the share of ``True`` and its Wilson interval, and what it was measured on."""
    n, hits = len(correct), int(np.count_nonzero(correct))
    low, high = wilson(hits, n)
    return what | {"measure": "accuracy", "value": hits / n if n else float("nan"), "n": n, "low": low, "high": high}


def checked(outcome: Evaluated | Sequence[Row], kind: str) -> Evaluated:
    """Return what an evaluation found, after checking that its rows are rows of one table.

    Raises
    ------
    FreqmapsError
        There is none, or one lacks a column.
    """
    evaluated = outcome if isinstance(outcome, Evaluated) else Evaluated(outcome)
    if not evaluated.rows:
        raise FreqmapsError(f"evaluation '{kind}' returned no rows; it must say at least what it could not measure")
    for rows, required in ((evaluated.rows, REQUIRED), (evaluated.samples, ("sample",))):
        for row in rows:
            if row.keys() != rows[0].keys() or not set(required) <= row.keys():
                raise FreqmapsError(
                    f"evaluation '{kind}': rows have columns {sorted(row)} and {sorted(rows[0])}; "
                    f"give all rows the same, {', '.join(required)} among them"
                )
    return evaluated

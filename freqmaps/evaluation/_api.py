"""What every evaluation is given and what it returns.

A component of this folder is a module with

* ``NEEDS``: the stages that it reads beside the dataset and the checkpoint, among ``attacks``, ``maps`` and
  ``group_maps``. Its parameters ``attacks``, ``maps`` and ``group_maps``, if it has them, narrow that by name, and
  ``masks_of`` names other trainings whose group maps it reads too;
* ``compute(inputs, network, *, seed, ...)``, which returns rows: plain mappings, all with the same keys.

Every row has ``measure`` (``accuracy``, ...), ``value``, ``n`` (what it rests on) and the bounds ``low`` and ``high``
of its 95 % interval (NaN where it has none); further keys say what was measured on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from freqmaps.errors import FreqmapsError
from freqmaps.models import predict
from freqmaps.statistics import wilson

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from freqmaps.models import Classifier
    from freqmaps.stores.selection import Samples

Row = dict[str, Any]
REQUIRED = ("measure", "value", "n", "low", "high")


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


def accuracy(correct: NDArray[np.bool_], **what: Any) -> Row:
    """Return a row with the share of ``True`` and its Wilson interval, and what it was measured on."""
    n, hits = len(correct), int(np.count_nonzero(correct))
    low, high = wilson(hits, n)
    return what | {"measure": "accuracy", "value": hits / n if n else float("nan"), "n": n, "low": low, "high": high}


def checked(rows: Sequence[Row], kind: str) -> list[Row]:
    """Return rows after checking that they are rows of one table.

    Raises
    ------
    FreqmapsError
        There is none, or one lacks a column.
    """
    if not rows:
        raise FreqmapsError(f"evaluation '{kind}' returned no rows; it must say at least what it could not measure")
    for row in rows:
        if row.keys() != rows[0].keys() or not set(REQUIRED) <= row.keys():
            raise FreqmapsError(
                f"evaluation '{kind}': rows have columns {sorted(row)} and {sorted(rows[0])}; "
                f"give all rows the same, {', '.join(REQUIRED)} among them"
            )
    return list(rows)

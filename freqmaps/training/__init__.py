"""Training: a regime's loss lowered on a dataset's images, the same for every run.

Every file of ``regimes/`` that does not start with ``_`` is a regime (docs/add-a-regime.md), every such file of
``regularisers/`` a regulariser (docs/add-a-regulariser.md).
"""

from freqmaps.training._data import split_arrays
from freqmaps.training._evaluate import evaluate
from freqmaps.training._kept import SnapshotFiles
from freqmaps.training._loop import train
from freqmaps.training.context import Batch, StepContext
from freqmaps.training.hooks import Hook, Moment
from freqmaps.training.planned import build_planned, train_planned
from freqmaps.training.regimes._api import Regime
from freqmaps.training.regularisers._api import CleanPass, Regulariser
from freqmaps.training.settings import TrainingSettings
from freqmaps.training.snapshots import Snapshots

__all__ = [
    "Batch", "CleanPass", "Hook", "Moment", "Regime", "Regulariser", "SnapshotFiles", "Snapshots", "StepContext",
    "TrainingSettings", "build_planned", "evaluate", "split_arrays", "train", "train_planned",
]  # fmt: skip

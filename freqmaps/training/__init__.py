"""Training: a regime's loss lowered on a dataset's images, the same for every run.

Every file of ``regimes/`` that does not start with ``_`` is a regime; see docs/add-a-regime.md.
"""

from freqmaps.training._data import split_arrays
from freqmaps.training._evaluate import evaluate
from freqmaps.training._loop import Callback, train
from freqmaps.training.settings import TrainingSettings

__all__ = ["Callback", "TrainingSettings", "evaluate", "split_arrays", "train"]

"""Which samples get a map (Basile et al., section III)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def select_essential(labels: NDArray[np.int64], predictions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the positions of the samples that get an essential map: the correctly classified ones.

    Parameters
    ----------
    labels, predictions
        (n,) ground truth, and the model's answers to the clean images.
    """
    return np.flatnonzero(np.asarray(labels) == np.asarray(predictions)).astype(np.int64)


def select_adversarial(
    labels: NDArray[np.int64], predictions: NDArray[np.int64], success: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return the positions of the samples that get an adversarial map.

    Those are the correctly classified samples on which the attack succeeded; the map's target is the class that the
    attack led to.

    Parameters
    ----------
    labels, predictions
        (n,) ground truth, and the model's answers to the clean images.
    success
        (n,) whether the attack changed the answer within its budget.
    """
    correct = np.asarray(labels) == np.asarray(predictions)
    return np.flatnonzero(correct & np.asarray(success, dtype=bool)).astype(np.int64)

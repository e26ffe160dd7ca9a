"""Selection of the clean and the adversarial images from which group maps are computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freqmaps.maps.selection import select_adversarial, select_essential


@dataclass(frozen=True)
class Pictures:
    """Images of one kind, clean or adversarial.

    Attributes
    ----------
    images
        (n, c, h, w) float32 in [0, 1], or uint8.
    targets
        (n,) int64: the class that the network is to give each image when it is filtered: the true one.
    category
        (n,) int64: the class whose group each image belongs to: the true one of a clean image, and the one that an
        adversarial image is taken for.
    """

    images: NDArray[Any]
    targets: NDArray[np.int64]
    category: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.targets)


def select_clean(
    labels: NDArray[np.int64], predictions: NDArray[np.int64] | None, *, only_correct: bool
) -> NDArray[np.int64]:
    """Return the positions of the clean images to use.

    Parameters
    ----------
    labels, predictions
        (n,) ground truth, and the network's predictions, which are used for ``only_correct`` alone.
    only_correct
        Leave out what the network does not classify correctly.
    """
    if not only_correct or predictions is None:
        return np.arange(len(labels), dtype=np.int64)
    return select_essential(labels, predictions)


def select_successful(
    labels: NDArray[np.int64], predictions: NDArray[np.int64], success: NDArray[np.bool_], *, only_correct: bool
) -> NDArray[np.int64]:
    """Return the positions of the adversarial images to use: those of successful attacks.

    Parameters
    ----------
    labels, predictions
        (n,) ground truth, and the network's predictions for the clean images.
    success
        (n,) attack success: the adversarial image is misclassified and lies within the attack's budget.
    only_correct
        Leave out what the network does not even classify correctly when it is clean.
    """
    if only_correct:
        return select_adversarial(labels, predictions, success)
    return np.flatnonzero(np.asarray(success, dtype=bool)).astype(np.int64)

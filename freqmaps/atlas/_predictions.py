"""The network's predictions and their probabilities for each image, unfiltered and filtered by its frequency map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from freqmaps.atlas._read import ImageSet
from freqmaps.models._predict import BATCH, predict_logits
from freqmaps.spectra import transforms as spectra

#: Number of most probable classes shown for each image.
TOP = 5


@dataclass(frozen=True)
class Predictions:
    """The most probable classes of a set's images and of its filtered images.

    Attributes
    ----------
    image_class, filtered_class
        (m, k) int16, most probable first; -1 for filtered images without a map. k is 5, or the number of classes.
    image_p, filtered_p
        (m, k) float32: their probabilities (softmax of the logits); NaN without a map.
    """

    image_class: NDArray[np.int16]
    image_p: NDArray[np.float32]
    filtered_class: NDArray[np.int16]
    filtered_p: NDArray[np.float32]


def predictions_of(model: nn.Module, images: ImageSet, *, device: str | torch.device = "cpu") -> Predictions:
    """Return a network's most probable classes for a set's images, unfiltered and filtered by their maps.

    Parameters
    ----------
    model
        Images in [0, 1] to logits, in eval mode.
    images
        The set.
    device
        Where to compute.
    """
    plain = probabilities(model, images.image, device=device)
    k = min(TOP, plain.shape[1])
    image_class, image_p = top(plain, k)
    filtered_class = np.full((len(plain), k), -1, dtype=np.int16)
    filtered_p = np.full((len(plain), k), np.nan, dtype=np.float32)
    rows = np.flatnonzero(images.has_map)
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        filtered = spectra.filter_image(images.image[part], images.map[part]).astype(np.float32)
        filtered_class[part], filtered_p[part] = top(probabilities(model, filtered, device=device), k)
    return Predictions(image_class, image_p, filtered_class, filtered_p)


def probabilities(
    model: nn.Module, images: NDArray[np.float32], *, device: str | torch.device = "cpu"
) -> NDArray[np.float32]:
    """Return the softmax of a network's logits, (n, classes) float32.

    Raises
    ------
    FreqmapsError
        A logit is NaN or infinite, or memory does not suffice for one image.

    Notes
    -----
    The network is asked as :func:`freqmaps.models.predict` asks it: the most probable class is the one that the stores
    hold.
    """
    return predict_logits(model, images, device=device).double().softmax(dim=1).float().numpy()


def top(values: NDArray[Any], k: int) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """Return the classes of the ``k`` largest values of each row, largest first, and the values.

    >>> top(np.array([[0.1, 0.7, 0.2]]), 2)[0].tolist()
    [[1, 2]]
    """
    order = np.argsort(-values, axis=1, kind="stable")[:, :k]
    return order.astype(np.int16), np.take_along_axis(values, order, axis=1).astype(np.float32)

"""Selection of the samples for which a frequency map is computed (Basile et al., section III)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def select_essential(labels: NDArray[np.int64], predictions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the positions of the samples that get an essential map: the correctly classified ones.

    Parameters
    ----------
    labels, predictions
        (n,) ground truth, and the model's predictions for the clean images.
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
        (n,) ground truth, and the model's predictions for the clean images.
    success
        (n,) attack success: whether the attack changed the prediction within its budget.
    """
    correct = np.asarray(labels) == np.asarray(predictions)
    return np.flatnonzero(correct & np.asarray(success, dtype=bool)).astype(np.int64)


def shuffle_perturbation(
    clean: NDArray[np.float32], adversarial: NDArray[np.float32], generator: np.random.Generator
) -> NDArray[np.float32]:
    """Return the clean images plus noise with the norms of each image's adversarial perturbation.

    The noise is the perturbation with its pixels in random order, in each channel: every l_p norm and the distribution
    of its values stay, its spectrum becomes white. What leaves [0, 1] is clipped, which can only shrink the norms.

    Parameters
    ----------
    clean, adversarial
        (n, c, h, w) float32 in [0, 1], the same images in the same order.
    generator
        Draws the order.

    Returns
    -------
    ndarray of float32, shape (n, c, h, w), in [0, 1]
    """
    perturbation = adversarial - clean
    flat = perturbation.reshape(*perturbation.shape[:2], -1)
    noise = generator.permuted(flat, axis=-1).reshape(clean.shape)
    noisy: NDArray[np.float32] = np.clip(clean + noise, 0.0, 1.0).astype(np.float32)
    return noisy

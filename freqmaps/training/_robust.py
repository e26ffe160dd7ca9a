"""Accuracy under PGD along a training, on a fixed part of the training images: the sign of catastrophic overfitting.

Wong, Rice and Kolter, "Fast is better than free", ICLR 2020, section 5: under training with FGSM the accuracy under PGD
may fall to nothing within an epoch, while that under FGSM rises.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from freqmaps.training._data import Images
from freqmaps.training.context import Batch, StepContext
from freqmaps.training.regimes.adversarial import build as adversarial
from freqmaps.training.settings import TrainingSettings

log = logging.getLogger("freqmaps")

#: Images per pass.
_BATCH = 256
#: What fell below this share of the best earlier accuracy has collapsed, where the best was of as many images at least.
_SHARE, _LEAST = 0.5, 10


class Watch:
    """The images that are watched, and the attack on them.

    Parameters
    ----------
    data
        The training images; as many as the settings say are taken, evenly spaced in their order, without augmentation.
    settings
        ``robust_images``, ``robust_epsilon``, ``robust_steps``.
    seed
        Of the random starts, which are the same after every epoch.
    """

    def __init__(self, data: Images, settings: TrainingSettings, seed: int) -> None:
        count = min(settings.robust_images, len(data))
        places = torch.from_numpy(np.linspace(0, len(data) - 1, count).round().astype(np.int64))
        self._images = Images(
            data.images[places.to(data.images.device)], data.labels[places.to(data.labels.device)], data.device
        )
        epsilon = settings.robust_epsilon
        self._attack = adversarial(epsilon=epsilon, step=epsilon / 4, steps=settings.robust_steps, attack_in_eval=True)
        self._seed = seed

    def record(self, classifier: nn.Module) -> dict[str, float]:
        """Return the column of the history, ``robust_accuracy`` in [0, 1]; nothing if no image is watched."""
        return {"robust_accuracy": self._accuracy(classifier)} if len(self._images) else {}

    def report(self, history: Sequence[dict[str, float]]) -> None:
        """Add the column ``overfitted`` to the last record, 1 from the collapse on; say in the log when it happens."""
        if not len(self._images):
            return
        epoch = collapsed(history, len(self._images))
        history[-1]["overfitted"] = int(epoch is not None)
        if epoch == len(history):
            best = max(record["robust_accuracy"] for record in history)
            log.warning(
                "catastrophic overfitting in epoch %d: the accuracy under PGD on %d training images fell to %.3f, from "
                "up to %.3f before; see 'robust_accuracy' in history.csv, and keep: best_robust",
                epoch, len(self._images), history[-1]["robust_accuracy"], best,
            )  # fmt: skip

    def _accuracy(self, classifier: nn.Module) -> float:
        classifier.eval()
        generator = torch.Generator(self._images.device).manual_seed(self._seed)
        context = StepContext(step=0, epoch=0, steps=1, steps_per_epoch=1, generator=generator, loss=F.cross_entropy)
        right = 0
        for images, labels in self._images.batches(_BATCH):
            attacked = self._attack.prepare(classifier, Batch(images, labels), context)
            with torch.no_grad():
                right += int((classifier(attacked).argmax(dim=1) == labels).sum())
        return right / len(self._images)


def collapsed(history: Sequence[dict[str, float]], images: int) -> int | None:
    """Return the first epoch, from 1, of catastrophic overfitting; None if there is none.

    It is one whose accuracy under PGD is less than half of the best before it, while the training accuracy is no lower
    than in that best epoch: where both fall, the training has only become unstable.

    Parameters
    ----------
    history
        Records with ``train_accuracy`` and ``robust_accuracy``; without the latter there is no such epoch.
    images
        How many it was taken on. A best accuracy of fewer than 10 images does not count: chance would halve it.

    Examples
    --------
    >>> values = [(0.5, 0.2), (0.6, 0.4), (0.6, 0.35), (0.3, 0.1), (0.9, 0.0)]
    >>> collapsed([{"train_accuracy": fitted, "robust_accuracy": robust} for fitted, robust in values], 100)
    5
    """
    best = {"train_accuracy": 0.0, "robust_accuracy": 0.0}
    for number, record in enumerate(history, start=1):
        value, top = record.get("robust_accuracy", 0.0), best["robust_accuracy"]
        fell = top * images >= _LEAST and value < _SHARE * top
        if fell and record["train_accuracy"] >= best["train_accuracy"]:
            return number
        best = record if value > top else best
    return None

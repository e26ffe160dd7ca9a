"""Training images kept on the device in their stored type, and given out in batches of floats in [0, 1]."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from freqmaps.core.errors import FreqmapsError
from freqmaps.core.minibatches import bounds
from freqmaps.training._augment import draw, shift_and_flip
from freqmaps.training.settings import TrainingSettings

#: Images stay in host memory if they would take more than this part of the free memory of a GPU.
_SHARE = 0.4

Arrays = tuple[NDArray[Any], NDArray[np.int64]]


def split_arrays(dataset: xr.Dataset) -> tuple[Arrays, Arrays]:
    """Return (images, labels) of the training and of the test split of a dataset store.

    Parameters
    ----------
    dataset
        Keeps the dataset contract: ``image`` uint8 or float32, ``label``, ``split``.

    Returns
    -------
    train, test
        Images (n, c, h, w) as stored and labels (n,) int64, in the store's order.

    Raises
    ------
    FreqmapsError
        There is nothing to train on.
    """
    split = np.array([str(s) for s in dataset["split"].values])
    images, labels = dataset["image"].values, dataset["label"].values.astype(np.int64)
    train, test = split == "train", split == "test"
    if not train.any():
        raise FreqmapsError("dataset: there are no samples of split 'train'; check its train folder or test_fraction")
    return (images[train], labels[train]), (images[test], labels[test])


class Images:
    """Images and labels held for training.

    Parameters
    ----------
    images
        (n, c, h, w) uint8, or float32 in [0, 1].
    labels
        (n,) integers.
    device
        Where batches are wanted. The images lie there too if they fit.
    """

    def __init__(self, images: NDArray[Any] | Tensor, labels: NDArray[Any] | Tensor, device: torch.device) -> None:
        self.device = device
        self.images, self.labels = torch.as_tensor(images), torch.as_tensor(labels).long().to(device)
        if len(self.images) != len(self.labels):
            raise FreqmapsError(f"training: {len(self.images)} images but {len(self.labels)} labels")
        if self.images.dtype not in (torch.uint8, torch.float32):
            raise FreqmapsError(f"training: images are {self.images.dtype}, expected uint8 or float32 in [0, 1]")
        if device.type != "cuda" or self.images.nbytes <= _SHARE * torch.cuda.mem_get_info(device)[0]:
            self.images = self.images.to(device)
        elif not self.images.is_pinned():
            self.images = self.images.pin_memory()

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (images, labels) in order, floats in [0, 1]."""
        for start in range(0, len(self), size):
            part = self.images[start : start + size].to(self.device, non_blocking=True)
            yield _to_unit(part), self.labels[start : start + size]

    def epoch(self, settings: TrainingSettings, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the (images, labels) of one epoch: shuffled, augmented, floats in [0, 1].

        Parameters
        ----------
        settings
            Batch size, augmentation, and whether a smaller last batch is left out.
        generator
            On the CPU; decides everything that is drawn.
        """
        order = torch.randperm(len(self), generator=generator)
        offsets, flips = draw(len(self), settings.crop_padding, settings.flip, generator)
        on_device = order.to(self.images.device)
        offsets, flips = offsets.to(self.device), flips.to(self.device)
        for start, stop in bounds(len(self), settings.batch, settings.drop_last):
            chosen = on_device[start:stop]
            part = self.images[chosen].to(self.device, non_blocking=True)
            if settings.crop_padding or settings.flip:
                part = shift_and_flip(part, offsets[start:stop], flips[start:stop], settings.crop_padding)
            yield _to_unit(part), self.labels[chosen.to(self.device)]


def _to_unit(images: Tensor) -> Tensor:
    return images.float() / 255 if images.dtype == torch.uint8 else images

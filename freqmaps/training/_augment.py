"""Random shifts and mirror images of a whole batch in one gather, on whatever device it lies."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def shift_and_flip(images: Tensor, offsets: Tensor, flips: Tensor, padding: int) -> Tensor:
    """Cut a window of the original size from each zero-padded image, and mirror some.

    Parameters
    ----------
    images
        (n, c, h, w), any dtype.
    offsets
        (n, 2) int64: rows and columns of the window's corner in the padded image, 0 to 2 * ``padding``.
    flips
        (n,) bool: which windows are mirrored left to right.
    padding
        Zeros on each side.

    Returns
    -------
    Tensor
        (n, c, h, w) of the same dtype, channels last in memory.
    """
    n, _, height, width = images.shape
    padded = F.pad(images, (padding, padding, padding, padding))
    rows = offsets[:, :1] + torch.arange(height, device=images.device)
    columns = torch.arange(width, device=images.device).expand(n, width)
    columns = offsets[:, 1:] + torch.where(flips[:, None], width - 1 - columns, columns)
    which = torch.arange(n, device=images.device)
    return padded[which[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def draw(n: int, padding: int, flip: bool, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw the offsets and flips of n images, uniformly.

    Parameters
    ----------
    n, padding, flip
        How many images; the largest shift; whether half of them are mirrored.
    generator
        On the CPU, so that every device gets the same draws.

    Returns
    -------
    offsets, flips
        (n, 2) int64 in 0 to 2 * ``padding``, and (n,) bool.
    """
    offsets = torch.randint(0, 2 * padding + 1, (n, 2), generator=generator)
    mirrored = torch.randint(0, 2, (n,), generator=generator).bool()
    return offsets, mirrored if flip else torch.zeros(n, dtype=torch.bool)

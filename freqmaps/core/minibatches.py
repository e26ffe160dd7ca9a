"""Minibatches of an epoch, and the number of steps of a training. Imports no torch."""

from __future__ import annotations


def bounds(n: int, batch: int, drop_last: bool = False) -> list[tuple[int, int]]:
    """Return the first and last+1 position of each batch; a rest of one image joins the batch before it.

    Batch norm cannot be trained on a single image. With ``drop_last`` any rest is left out.
    """
    if drop_last:
        return [(start, start + batch) for start in range(0, n - batch + 1, batch)]
    starts = list(range(0, n, batch))
    if batch > 1 and len(starts) > 1 and n - starts[-1] == 1:
        starts.pop()
    return list(zip(starts, [*starts[1:], n], strict=True))


def count_steps(epochs: int, images: int, batch: int, drop_last: bool = False) -> int:
    """Return how many steps a training makes.

    >>> count_steps(2, 539, 64)
    18
    """
    return epochs * len(bounds(images, batch, drop_last))

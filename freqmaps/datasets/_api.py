"""What every dataset component gives: a description, cheap, at every dry run; and blocks of images when it is made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: A block holds at most so many images, and at most about so many bytes of them.
BLOCK_IMAGES = 512
BLOCK_BYTES = 1 << 26


@dataclass(frozen=True)
class Description:
    """What a dataset is, known without decoding it.

    Attributes
    ----------
    identity
        What the data are (names, sizes, digest), never where they lie; JSON. It enters the dataset's key.
    splits
        Number of samples of ``train`` and of ``test``.
    classes
        Class names in label order.
    channels, size
        Images are (channels, size, size).
    source, licence
        Where the data come from and on which terms; for the store's attributes.
    """

    identity: dict[str, Any]
    splits: dict[str, int]
    classes: tuple[str, ...]
    channels: int
    size: int
    source: str
    licence: str


@dataclass(frozen=True)
class Block:
    """Some samples, in the store's order.

    Attributes
    ----------
    image
        (n, channel, y, x); uint8 in 0..255, or float32 in [0, 1]; the same dtype in all blocks.
    label
        (n,) int64, positions in ``Description.classes``.
    split
        ``train`` or ``test``, n of them.
    sample
        Stable ids, unique in the whole dataset.
    """

    image: NDArray[Any]
    label: NDArray[Any]
    split: list[str]
    sample: list[str]


def rows_per_block(bytes_per_image: int) -> int:
    """Return how many images a block holds.

    >>> rows_per_block(3 * 32 * 32)
    512
    """
    return max(1, min(BLOCK_IMAGES, BLOCK_BYTES // max(1, bytes_per_image)))


def in_blocks(
    images: NDArray[Any], labels: Sequence[int], split: Sequence[str], sample: Sequence[str], order: Sequence[int]
) -> Iterator[Block]:
    """Cut arrays into blocks, in a given order.

    Parameters
    ----------
    images
        (n, channel, y, x) uint8 or float; memory-mapped arrays are read block by block. Floats become float32.
    labels, split, sample
        One per image.
    order
        Positions of the images, as they shall lie in the store.
    """
    import numpy as np

    dtype = np.uint8 if images.dtype == np.uint8 else np.float32
    rows = rows_per_block(int(np.prod(images.shape[1:])) * np.dtype(dtype).itemsize)
    for start in range(0, len(order), rows):
        part = order[start : start + rows]
        yield Block(
            np.ascontiguousarray(images[np.asarray(part)], dtype=dtype),
            np.array([labels[i] for i in part], dtype=np.int64),
            [split[i] for i in part],
            [sample[i] for i in part],
        )

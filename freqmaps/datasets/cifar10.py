"""CIFAR-10: 60 000 colour photographs of 32x32 pixels in ten classes, from its original archive."""

from __future__ import annotations

from collections.abc import Iterator

from freqmaps.datasets import _cifar
from freqmaps.datasets._api import Block, Description
from freqmaps.datasets._originals import Original

UNKEYED = ("root",)

ORIGINAL = Original(
    "cifar-10-python.tar.gz",
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    "c58f30108f718f92721af3b95e74349a",
)
_CIFAR = _cifar.Cifar(
    original=ORIGINAL,
    batches={
        "train": tuple(f"cifar-10-batches-py/data_batch_{i}" for i in range(1, 6)),
        "test": ("cifar-10-batches-py/test_batch",),
    },
    meta="cifar-10-batches-py/batches.meta",
    names="label_names",
    labels="labels",
    splits={"train": 50_000, "test": 10_000},
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
)


def describe(*, root: str = "data") -> Description:
    """Describe CIFAR-10.

    Parameters
    ----------
    root
        Folder that holds ``cifar-10-python.tar.gz``, or to which it is downloaded.

    Raises
    ------
    ConfigError
        ``root`` is no folder, or the archive there is not of CIFAR-10's format.
    """
    return _cifar.describe(_CIFAR, root)


def read(*, root: str = "data") -> Iterator[Block]:
    """Yield the images (uint8) in their original order; parameters and errors as :func:`describe`."""
    yield from _cifar.read(_CIFAR, root)

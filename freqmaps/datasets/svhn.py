"""SVHN: 99 289 house-number digits cropped to 32x32 colour pixels, from the original .mat files (without 'extra')."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from freqmaps.core.errors import ConfigError
from freqmaps.datasets import _files, _originals
from freqmaps.datasets._api import Block, Description, in_blocks
from freqmaps.datasets._originals import Original

UNKEYED = ("root",)

ORIGINALS = {
    "train": Original(
        "train_32x32.mat",
        "http://ufldl.stanford.edu/housenumbers/train_32x32.mat",
        "e26dedcc434d2e4c54c9b2d4a06d8373",
    ),
    "test": Original(
        "test_32x32.mat",
        "http://ufldl.stanford.edu/housenumbers/test_32x32.mat",
        "eb5a983be6a315427106f1b164d9cef3",
    ),
}
_COUNTS = {"train": 73_257, "test": 26_032}
_CLASSES = tuple(str(digit) for digit in range(10))
_SIDE = 32


def describe(*, root: str = "data") -> Description:
    """Describe SVHN.

    Parameters
    ----------
    root
        Folder that holds ``train_32x32.mat`` and ``test_32x32.mat``, or to which they are downloaded.

    Raises
    ------
    ConfigError
        ``root`` is no folder, or a file there is not of SVHN's format.
    """
    folder = _files.expanded(root)
    splits = dict(_COUNTS)
    files = {}
    for split, original in ORIGINALS.items():
        files[original.name] = _originals.md5(folder, original)
        if files[original.name] != original.md5:
            splits[split] = int(_counted(folder / original.name)["n"])
    return Description(
        {"files": files}, splits, _CLASSES, 3, _SIDE,
        "http://ufldl.stanford.edu/housenumbers", "for non-commercial use",
    )  # fmt: skip


def read(*, root: str = "data") -> Iterator[Block]:
    """Yield the images (uint8) in their original order, label 10 as 0; parameters and errors as :func:`describe`."""
    for split, original in ORIGINALS.items():
        images, labels = _load(_originals.fetch(_files.expanded(root), original))
        n = len(labels)
        samples = [f"{split}/{i:05d}" for i in range(n)]
        # A view: only one block at a time is turned round to (n, channel, y, x).
        yield from in_blocks(images.transpose(3, 2, 0, 1), labels, [split] * n, samples, range(n))


def _counted(path: Path) -> dict[str, Any]:
    def find_out() -> dict[str, Any]:
        labels = _load(path)[1]
        missing = sorted(set(range(len(_CLASSES))) - set(labels))
        if missing:
            raise ConfigError(f"'{path}' has no image of class '{missing[0]}'; use the original file")
        return {"n": len(labels)}

    return _files.remembered("svhn", _files.stamp(path), find_out)


def _load(path: Path) -> tuple[Any, list[int]]:
    """Return the images (y, x, channel, n) and their labels 0..9."""
    import numpy as np
    from scipy.io import loadmat

    try:
        content = loadmat(path, variable_names=["X", "y"])
        images, labels = content["X"], np.asarray(content["y"]).ravel()
    except Exception as error:  # a damaged file can make the reader raise anything
        raise ConfigError(
            f"'{path}' is not a whole .mat file of SVHN ({type(error).__name__}); fetch it again"
        ) from error
    if images.ndim != 4 or images.shape[:3] != (_SIDE, _SIDE, 3) or images.dtype != np.uint8:
        raise ConfigError(f"'{path}': 'X' is {images.dtype} {images.shape}, not bytes (32, 32, 3, n); fetch it again")
    if len(labels) != images.shape[3] or not np.isin(labels, np.arange(1, 11)).all():
        raise ConfigError(
            f"'{path}': 'y' must hold one label 1..10 for each of {images.shape[3]} images; fetch it again"
        )
    return images, [int(label) % 10 for label in labels]

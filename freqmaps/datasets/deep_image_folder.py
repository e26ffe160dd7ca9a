"""Grey images of your own with more than 8 bits, in class folders or archives: PNG and TIFF files, kept as floats.

Folders, archives and splits are those of ``image_folder``, which makes bytes of everything. Here the value that stands
for white is given: 12 bits of a camera or scanner lie in files of 16 bits, and nothing in the file says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from freqmaps.datasets import _deep, _folders, _layout, _splits, image_folder
from freqmaps.datasets._api import Block, Description

UNKEYED = ("root", "train", "test")
RANGES = {"test_fraction": "(0, 1)", "size": "[1, 8192]", "white": "(0, 1e10)"}
DOUBTS = "freqmaps.datasets._splits:unread"


def describe(
    *,
    white: float,
    root: str | None = None,
    train: str | None = None,
    test: str | None = None,
    size: int | None = None,
    channels: Literal[1, 3] = 1,
    test_fraction: float = 0.2,
    classes: list[str] | None = None,
) -> Description:
    """Describe the images after checking, once, that each of them can be read.

    Parameters
    ----------
    white
        The value of white, by which pixels are divided: 4095 for 12 bits, 65535 for 16 bits, 1 for floats in [0, 1].
    root, train, test, size, test_fraction, classes
        As for ``image_folder``.
    channels
        1, or 3 for networks that take colours; all three are then the same.

    Raises
    ------
    ConfigError
        As ``image_folder``, and for an image of 8 bits or in colour, or one that holds NaN, or values outside
        [0, white].
    """
    described = image_folder.describe(
        root=root, train=train, test=test, size=size, channels=channels, test_fraction=test_fraction, classes=classes
    )
    _deep.check(_splits.of_config(root, train, test, classes), classes, white)
    return described


def read(
    *,
    white: float,
    root: str | None = None,
    train: str | None = None,
    test: str | None = None,
    size: int | None = None,
    channels: Literal[1, 3] = 1,
    test_fraction: float = 0.2,
    classes: list[str] | None = None,
) -> Iterator[Block]:
    """Yield the images, float32 in [0, 1], in store order; parameters and errors as :func:`describe`.

    Raises
    ------
    ConfigError
        An image of 8 bits or in colour, or one that holds NaN, or values outside [0, white].
    """
    parts = _splits.of_config(root, train, test, classes)
    side = size or _folders.common_size(_folders.summary(parts, classes))
    entries = _layout.entries(parts, classes)
    _layout.describe_scan(parts, classes)
    shape = (channels, side, side)
    yield from _deep.blocks(entries, shape, white=white, test_fraction=test_fraction, classes=classes)

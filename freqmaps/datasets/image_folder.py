"""Images of your own, in class folders or archives of them.

Either ``root``, with ``train/`` and ``test/`` (or ``val/``) below it, each with one folder per class, or with the
class folders themselves, from which a stratified split is made; or ``train`` and ``test``, one place for each. Every
place may be a folder or a .tar (.gz, .bz2, .xz) or .zip archive, which is read without unpacking.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from freqmaps.datasets import _folders, _layout, _splits
from freqmaps.datasets._api import Block, Description

UNKEYED = ("root", "train", "test")
RANGES = {"test_fraction": "(0, 1)", "size": "[1, 8192]"}
NEUTRAL = {"fit": "crop"}  # images were always cropped before
DOUBTS = "freqmaps.datasets._dark:of_folders"


def describe(
    *,
    root: str | None = None,
    train: str | None = None,
    test: str | None = None,
    size: int | None = None,
    channels: Literal[1, 3] = 3,
    fit: Literal["crop", "stretch"] = "crop",
    test_fraction: float = 0.2,
    classes: list[str] | None = None,
) -> Description:
    """Describe the images after checking, once, that each of them can be read.

    Parameters
    ----------
    root
        Folder or archive that holds everything.
    train, test
        Instead of ``root``: folders or archives of class folders.
    size
        Side in pixels to scale (shorter side) and crop (centre) to; without, all must be square and of one size.
    channels
        3 for RGB, 1 for grey.
    fit
        ``stretch`` scales both sides to ``size`` without keeping the aspect and crops nothing, as the released code of
        Basile et al. does.
    test_fraction
        Share of each class for testing, where the split has to be made.
    classes
        Class folders to take, in the order of the labels; all, by name, where none are named.

    Raises
    ------
    ConfigError
        Wrong path, no or empty class folders, a class that one split lacks, an image that cannot be read.
    """
    known = _folders.summary(_splits.of_config(root, train, test, classes), classes)
    counts = _layout.pick(known["counts"], classes)
    names = tuple(next(iter(counts.values()))) if classes else tuple(sorted(next(iter(counts.values()))))
    splits = _folders.split_counts(known | {"counts": counts}, test_fraction)
    identity = {"images": sum(splits.values()), "bytes": known["bytes"], "digest": known["digest"]}
    side = size or _folders.common_size(known)
    return Description(identity, splits, names, channels, side, "image folder", "as given by their owner")


def read(
    *,
    root: str | None = None,
    train: str | None = None,
    test: str | None = None,
    size: int | None = None,
    channels: Literal[1, 3] = 3,
    fit: Literal["crop", "stretch"] = "crop",
    test_fraction: float = 0.2,
    classes: list[str] | None = None,
) -> Iterator[Block]:
    """Yield the images in store order; parameters and errors as :func:`describe`."""
    parts = _splits.of_config(root, train, test, classes)
    side = size or _folders.common_size(_folders.summary(parts, classes))
    entries = _layout.entries(parts, classes)
    _layout.describe_scan(parts, classes)
    yield from _folders.blocks(
        entries, channels=channels, size=side, fit=fit, test_fraction=test_fraction, classes=classes
    )

"""Imagenette: 13 394 photographs of ten easy classes of ImageNet, from its original archive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from freqmaps.datasets import _files, _folders, _originals, _sources
from freqmaps.datasets._api import Block, Description
from freqmaps.datasets._originals import Original

UNKEYED = ("root",)
RANGES = {"size": (0, 8193)}

_URL = "https://s3.amazonaws.com/fast-ai-imageclas/"
ORIGINALS = {
    "full": Original("imagenette2.tgz", f"{_URL}imagenette2.tgz", "fe2fc210e6bb7c5664d602c3cd71e612"),
    "320px": Original("imagenette2-320.tgz", f"{_URL}imagenette2-320.tgz", "3df6f0d01a2c9592104656642f5e78a3"),
    "160px": Original("imagenette2-160.tgz", f"{_URL}imagenette2-160.tgz", "e793b78cc4c9e9a4ccc0c1155377a412"),
}
_COUNTS = {"train": 9469, "test": 3925}
_CLASSES = {
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}


def describe(
    *,
    root: str = "data",
    version: Literal["full", "320px", "160px"] = "full",
    size: int = 224,
    channels: Literal[1, 3] = 3,
) -> Description:
    """Describe Imagenette.

    Parameters
    ----------
    root
        Folder that holds ``imagenette2.tgz`` (or that of another version), or to which it is downloaded.
    version
        Which of the three published archives: original size, or the shorter side scaled to 320 or 160 pixels.
    size
        Side in pixels to scale (shorter side) and crop (centre) to.
    channels
        3 for RGB, 1 for grey.

    Raises
    ------
    ConfigError
        ``root`` is no folder, or the archive there is not of Imagenette's format.
    """
    folder, original = _files.expanded(root), ORIGINALS[version]
    md5 = _originals.md5(folder, original)
    splits, classes = dict(_COUNTS), tuple(_CLASSES.values())
    if md5 != original.md5:
        known = _folders.summary(_place(folder / original.name))
        splits = _folders.split_counts(known, None)
        classes = tuple(_CLASSES.get(name, name) for name in sorted(next(iter(known["counts"].values()))))
    return Description(
        {"files": {original.name: md5}}, splits, classes, channels, size,
        "https://github.com/fastai/imagenette", "Apache-2.0; the photographs on ImageNet's terms",
    )  # fmt: skip


def read(
    *,
    root: str = "data",
    version: Literal["full", "320px", "160px"] = "full",
    size: int = 224,
    channels: Literal[1, 3] = 3,
) -> Iterator[Block]:
    """Yield the images (uint8) in store order; parameters and errors as :func:`describe`."""
    path = _originals.fetch(_files.expanded(root), ORIGINALS[version])
    yield from _folders.blocks(_folders.entries(_place(path)), channels=channels, size=size, test_fraction=None)


def _place(path: Path) -> list[tuple[_sources.Source, str]]:
    return [(_sources.source(path, "root"), "")]

"""Imagenette: 13 394 photographs of ten easy classes of ImageNet, from its original archive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from freqmaps.core.errors import ConfigError, nearest
from freqmaps.datasets import _files, _folders, _layout, _originals, _sources, _splits
from freqmaps.datasets._api import Block, Description
from freqmaps.datasets._originals import Original
from freqmaps.datasets._parts import Part

UNKEYED = ("root",)
RANGES = {"size": "[1, 8192]"}
NEUTRAL = {"fit": "crop"}  # images were always cropped before

_URL = "https://s3.amazonaws.com/fast-ai-imageclas/"
ORIGINALS = {
    "full": Original("imagenette2.tgz", f"{_URL}imagenette2.tgz", "fe2fc210e6bb7c5664d602c3cd71e612"),
    "320px": Original("imagenette2-320.tgz", f"{_URL}imagenette2-320.tgz", "3df6f0d01a2c9592104656642f5e78a3"),
    "160px": Original("imagenette2-160.tgz", f"{_URL}imagenette2-160.tgz", "e793b78cc4c9e9a4ccc0c1155377a412"),
}
#: Class folders: the class, and its images for training and for testing.
_CLASSES = {
    "n01440764": ("tench", 963, 387),
    "n02102040": ("English springer", 955, 395),
    "n02979186": ("cassette player", 993, 357),
    "n03000684": ("chain saw", 858, 386),
    "n03028079": ("church", 941, 409),
    "n03394916": ("French horn", 956, 394),
    "n03417042": ("garbage truck", 961, 389),
    "n03425413": ("gas pump", 931, 419),
    "n03445777": ("golf ball", 951, 399),
    "n03888257": ("parachute", 960, 390),
}
_PUBLISHED = {
    "train": {folder: train for folder, (_, train, _) in _CLASSES.items()},
    "test": {folder: test for folder, (_, _, test) in _CLASSES.items()},
}


def describe(
    *,
    root: str = "data",
    version: Literal["full", "320px", "160px"] = "full",
    size: int = 224,
    channels: Literal[1, 3] = 3,
    fit: Literal["crop", "stretch"] = "crop",
    classes: list[str] | None = None,
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
    fit
        ``stretch`` scales both sides to ``size`` without keeping the aspect and crops nothing, as the released code of
        Basile et al. does.
    classes
        Names of the classes to take (``church``, ``French horn``, ...), in the order of the labels; all ten where none
        are given.

    Raises
    ------
    ConfigError
        ``root`` is no folder, or the archive there is not of Imagenette's format.
    """
    folder, original = _files.expanded(root), ORIGINALS[version]
    md5 = _originals.md5(folder, original)
    # What the published archive holds is known before it is there.
    counts = _PUBLISHED if md5 == original.md5 else _folders.summary(_parts(folder / original.name))["counts"]
    chosen = _layout.pick(counts, _folders_of(classes, counts))
    splits = _folders.split_counts({"counts": chosen, "first": original.name}, None)
    names = tuple(_name(folder) for folder in next(iter(chosen.values())))
    return Description(
        {"files": {original.name: md5}}, splits, names, channels, size,
        "https://github.com/fastai/imagenette", "Apache-2.0; the photographs on ImageNet's terms",
    )  # fmt: skip


def read(
    *,
    root: str = "data",
    version: Literal["full", "320px", "160px"] = "full",
    size: int = 224,
    channels: Literal[1, 3] = 3,
    fit: Literal["crop", "stretch"] = "crop",
    classes: list[str] | None = None,
) -> Iterator[Block]:
    """Yield the images (uint8) in store order; parameters and errors as :func:`describe`."""
    path = _originals.fetch(_files.expanded(root), ORIGINALS[version])
    entries = _layout.entries(_parts(path))
    wanted = _folders_of(classes, _layout.count(entries))
    entries = [e for e in entries if wanted is None or e.folder in wanted]
    yield from _folders.blocks(entries, channels=channels, size=size, fit=fit, test_fraction=None, classes=wanted)


def _folders_of(classes: list[str] | None, counts: dict[str, dict[str, int]]) -> list[str] | None:
    """Return the class folders of some classes, sorted.

    Raises
    ------
    ConfigError
        No such class.
    """
    if classes is None:
        return None
    there = {_name(folder): folder for folder in next(iter(counts.values()))}
    for name in classes:
        if name not in there:
            raise ConfigError(f"classes: no class '{name}'; {nearest(name, there)}")
    return [there[name] for name in classes]


def _parts(path: Path) -> list[Part]:
    return _splits.within(_sources.source(path, "root"))


def _name(folder: str) -> str:
    return _CLASSES[folder][0] if folder in _CLASSES else folder

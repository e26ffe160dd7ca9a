"""TinyImageNet: 110 000 colour photographs of 64x64 pixels in 200 classes of ImageNet, from its original archive.

Its validation images are for testing; its test images, whose classes were never published, are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from freqmaps.core.errors import ConfigError, nearest
from freqmaps.datasets import _decode, _files, _folders, _layout, _order, _originals, _sources
from freqmaps.datasets._api import Block, Description
from freqmaps.datasets._layout import Entry
from freqmaps.datasets._originals import Original
from freqmaps.datasets._sources import Source
from freqmaps.datasets._tiny_imagenet_classes import CLASSES

UNKEYED = ("root",)
RANGES = {"size": "[1, 8192]"}

ORIGINAL = Original(
    "tiny-imagenet-200.zip",
    "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
    "90528d7ca1a48142e341f4ef8d21d0de",
)
#: Images of each class in the published archive.
_EACH = {"train": 500, "test": 50}
_TOP = "tiny-imagenet-200"
_ANNOTATIONS, _WORDS = f"{_TOP}/val/val_annotations.txt", f"{_TOP}/words.txt"


def describe(
    *, root: str = "data", size: int = 64, channels: Literal[1, 3] = 3, classes: list[str] | None = None
) -> Description:
    """Describe TinyImageNet.

    Parameters
    ----------
    root
        Folder that holds ``tiny-imagenet-200.zip``, or to which it is downloaded.
    size
        Side in pixels to scale to.
    channels
        3 for RGB, 1 for grey.
    classes
        Names of the classes to take (``goldfish``, ``Egyptian cat``, ...), in the order of the labels; all, in that of
        their WordNet ids, where none are given.

    Raises
    ------
    ConfigError
        ``root`` is no folder, or the archive there is not of TinyImageNet's format.
    """
    folder = _files.expanded(root)
    md5 = _originals.md5(folder, ORIGINAL)
    known = _published() if md5 == ORIGINAL.md5 else _looked_at(folder / ORIGINAL.name)
    chosen = _layout.pick(known["counts"], _ids(classes, known["names"]))
    return Description(
        {"files": {ORIGINAL.name: md5}},
        {split: sum(chosen[split].values()) for split in ("train", "test")},
        tuple(known["names"][class_id] for class_id in chosen["train"]), channels, size,
        "http://cs231n.stanford.edu", "none stated; the photographs on ImageNet's terms",
    )  # fmt: skip


def read(
    *, root: str = "data", size: int = 64, channels: Literal[1, 3] = 3, classes: list[str] | None = None
) -> Iterator[Block]:
    """Yield the images (uint8) in store order; parameters and errors as :func:`describe`."""
    path = _originals.fetch(_files.expanded(root), ORIGINAL)
    entries, words = _entries(_sources.source(path, "root"))
    wanted = _ids(classes, _names({entry.folder for entry in entries}, words))
    entries = [entry for entry in entries if wanted is None or entry.folder in wanted]
    yield from _folders.blocks(entries, channels=channels, size=size, test_fraction=None, classes=wanted)


def _published() -> dict[str, Any]:
    return {"counts": {split: dict.fromkeys(CLASSES, n) for split, n in _EACH.items()}, "names": CLASSES}


def _looked_at(path: Path) -> dict[str, Any]:
    """Return what an archive that is not the published one holds, after checking every image of it."""

    def find_out() -> dict[str, Any]:
        entries, words = _entries(_sources.source(path, "root"))
        known = _folders._scan(entries)
        return {"counts": known["counts"], "names": _names({entry.folder for entry in entries}, words)}

    return _files.remembered("tiny imagenet", _files.stamp(path), find_out)


def _entries(source: Source) -> tuple[list[Entry], dict[str, str]]:
    """Return all images that have a class, sorted by id, and what ``words.txt`` says of each class."""
    files = [name for name in source.listing().files if _decode.is_image(name)]
    for name in (_ANNOTATIONS, _WORDS):
        if name not in source.listing().files:
            raise ConfigError(f"'{source.path}' lacks '{name}'; use the original file")
    with source.opened(in_order=False) as read:
        class_of = dict(_rows(read(_ANNOTATIONS), f"{source.path}/{_ANNOTATIONS}"))
        words = dict(_rows(read(_WORDS), f"{source.path}/{_WORDS}"))
    entries = []
    for member in files:
        folder, split, name = _place(member, class_of, source)
        if split:
            entries.append(Entry(source, member, split, folder, f"{split}/{folder}/{name}"))
    entries.sort(key=lambda entry: entry.sample)
    missing = set(class_of) - {PurePosixPath(e.member).name for e in entries if e.split == "test"}
    if missing:
        raise ConfigError(f"'{source.path}' lacks the image '{min(missing)}' of {_ANNOTATIONS}; use the original file")
    _order.check_classes(_layout.count(entries), f"'{source.path}' is not complete; use the original file")
    return entries, words


def _place(member: str, class_of: dict[str, str], source: Source) -> tuple[str, str, str]:
    """Return class folder, split (empty: of neither) and name of an image."""
    parts = PurePosixPath(member).parts
    if len(parts) == 5 and parts[:2] == (_TOP, "train") and parts[3] == "images":
        return parts[2], "train", parts[4]
    if len(parts) == 4 and parts[:3] == (_TOP, "val", "images"):
        if parts[3] not in class_of:
            raise ConfigError(f"'{source.path}': {_ANNOTATIONS} has no line for '{parts[3]}'; use the original file")
        return class_of[parts[3]], "test", parts[3]
    return "", "", ""


def _rows(data: bytes, where: str) -> Iterator[tuple[str, str]]:
    """Yield the first two columns of a table whose columns are parted by tabs."""
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        first, tab, rest = line.partition("\t")
        if not tab or not first or not rest:
            raise ConfigError(f"'{where}', line {number}, has no two columns; use the original file")
        yield first, rest.partition("\t")[0]


def _names(folders: set[str], words: dict[str, str]) -> dict[str, str]:
    """Return the first word for each class folder; with the folder's name where two classes share the word."""
    first = {folder: words.get(folder, folder).partition(",")[0].strip() for folder in sorted(folders)}
    shared = {name for name in first.values() if list(first.values()).count(name) > 1}
    return {folder: f"{name} ({folder})" if name in shared else name for folder, name in first.items()}


def _ids(classes: list[str] | None, names: dict[str, str]) -> list[str] | None:
    """Return the folders of some classes.

    Raises
    ------
    ConfigError
        No such class.
    """
    if classes is None:
        return None
    there = {name: folder for folder, name in names.items()}
    for name in classes:
        if name not in there:
            raise ConfigError(f"classes: no class '{name}'; {nearest(name, there)}")
    return [there[name] for name in classes]

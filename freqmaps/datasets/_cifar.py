"""The archives of CIFAR-10 and CIFAR-100: pickled batches of rows of 3x32x32 bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freqmaps.core.errors import ConfigError
from freqmaps.datasets import _files, _originals, _pickles
from freqmaps.datasets._api import Block, Description, in_blocks
from freqmaps.datasets._order import check_classes
from freqmaps.datasets._sources import Source, source

_SIDE = 32
_BYTES = 3 * _SIDE * _SIDE


@dataclass(frozen=True)
class Cifar:
    """One of the two archives, as published.

    Attributes
    ----------
    original
        The archive.
    batches
        Members of each split, in order.
    meta, names
        The member that names the classes, and under which key.
    labels
        The key of the labels in a batch.
    splits, classes
        Counts and class names of the published archive.
    """

    original: _originals.Original
    batches: dict[str, tuple[str, ...]]
    meta: str
    names: str
    labels: str
    splits: dict[str, int]
    classes: tuple[str, ...]


def describe(cifar: Cifar, root: str) -> Description:
    """Describe the archive under ``root``, or the published one where it is still to be downloaded."""
    folder = _files.expanded(root)
    name, md5 = cifar.original.name, _originals.md5(folder, cifar.original)
    splits, classes = cifar.splits, cifar.classes
    if md5 != cifar.original.md5:
        path = folder / name
        known = _files.remembered(f"cifar {name}", _files.stamp(path), lambda: _look(cifar, path))
        splits, classes = known["splits"], tuple(known["classes"])
    return Description(
        {"files": {name: md5}}, dict(splits), classes, 3, _SIDE,
        "https://www.cs.toronto.edu/~kriz/cifar.html", "none stated; for research",
    )  # fmt: skip


def read(cifar: Cifar, root: str) -> Iterator[Block]:
    """Yield the images in their original, shuffled order: first train, then test."""
    path = _originals.fetch(_files.expanded(root), cifar.original)
    archive = source(path, "root")
    with archive.opened(in_order=False) as member:
        for split, batches in cifar.batches.items():
            done = 0
            for batch in batches:
                content = _batch(cifar, path, _member(archive, member, batch), batch)
                images = content["data"].reshape(-1, 3, _SIDE, _SIDE)
                n = len(images)
                samples = [f"{split}/{i:05d}" for i in range(done, done + n)]
                yield from in_blocks(images, content[cifar.labels], [split] * n, samples, range(n))
                done += n


def _look(cifar: Cifar, path: Path) -> dict[str, Any]:
    archive = source(path, "root")
    with archive.opened(in_order=False) as member:
        meta = _pickles.load(_member(archive, member, cifar.meta), f"{path}/{cifar.meta}")
        if not isinstance(meta, dict) or not isinstance(meta.get(cifar.names), list):
            raise ConfigError(f"'{path}/{cifar.meta}' names no classes under '{cifar.names}'; use the original file")
        classes = [str(c) for c in meta[cifar.names]]
        counts: dict[str, dict[str, int]] = {}
        for split, batches in cifar.batches.items():
            of_split = counts.setdefault(split, {})
            for batch in batches:
                for label in _batch(cifar, path, _member(archive, member, batch), batch, len(classes))[cifar.labels]:
                    of_split[classes[label]] = of_split.get(classes[label], 0) + 1
    check_classes(counts, f"use another file than '{path}'")
    return {"classes": classes, "splits": {split: sum(c.values()) for split, c in counts.items()}}


def _member(archive: Source, read: Any, name: str) -> bytes:
    if name not in archive.listing().files:
        raise ConfigError(f"'{archive.path}' lacks '{name}'; use the original file")
    return bytes(read(name))


def _batch(cifar: Cifar, path: Path, data: bytes, name: str, classes: int | None = None) -> dict[str, Any]:
    """Unpickle a batch and check its shapes and labels."""
    import numpy as np

    content: Any = _pickles.load(data, f"{path}/{name}")
    limit = len(cifar.classes) if classes is None else classes
    rows = content.get("data") if isinstance(content, dict) else None
    labels = content.get(cifar.labels) if isinstance(content, dict) else None
    if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != _BYTES:
        raise ConfigError(f"'{path}/{name}' holds no 'data' of shape (n, {_BYTES}) in bytes; use the original file")
    if not isinstance(labels, list) or len(labels) != len(rows):
        raise ConfigError(
            f"'{path}/{name}' holds no '{cifar.labels}' for its {len(rows)} images; use the original file"
        )
    wrong = [label for label in labels if not isinstance(label, int) or not 0 <= label < limit]
    if wrong:
        raise ConfigError(f"'{path}/{name}' has the label {wrong[0]!r}, outside 0..{limit - 1}; use the original file")
    return {"data": rows, cifar.labels: labels}

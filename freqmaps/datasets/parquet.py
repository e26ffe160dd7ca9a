"""Images in parquet files, as the hub of Hugging Face and its cache hold them; read without the library ``datasets``.

A column holds the images (bytes of image files, names of files beside the parquet file, or a struct with ``bytes`` or
``path``), another one the labels. Names of classes are those that the files' metadata give, and splits are known by
the names of files or folders.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from freqmaps.core.errors import ConfigError, nearest
from freqmaps.datasets import _files, _samples, _shards
from freqmaps.datasets._api import Block, Description
from freqmaps.datasets._parquet import Groups, Table

UNKEYED = ("root",)
RANGES = {"test_fraction": "(0, 1)", "size": "[1, 8192]"}

_IMAGES = ("image", "img", "images", "picture", "png", "jpg")
_LABELS = ("label", "labels", "fine_label", "class", "target")


def describe(
    *,
    root: str,
    image: str | None = None,
    label: str | None = None,
    train: str = "train",
    test: str | None = None,
    size: int | None = None,
    channels: Literal[1, 3] | None = None,
    test_fraction: float | None = None,
) -> Description:
    """Describe the images after checking, once, that each of them can be read.

    Parameters
    ----------
    root
        A folder with parquet files, one such file, or a data set in the cache of Hugging Face (``~/.cache/
        huggingface/hub/datasets--owner--name``).
    image, label
        Columns; None: the one that the metadata call an image or a label, or whose name is usual (``img``,
        ``fine_label``). Labels are integers, or texts, which are then the names of the classes.
    train, test
        Names of the splits, as files or folders have them (``train-00000-of-00002.parquet``). Without ``test``, the
        split ``test`` is taken, or else ``validation``.
    size
        Side in pixels to scale (shorter side) and crop (centre) to; without, all must be square and of one size.
    channels
        3 for RGB, 1 for grey; None: as the first image has.
    test_fraction
        Share of each class for testing, where the files name no split, or only that of ``train``.

    Raises
    ------
    ConfigError
        pyarrow is not installed; no such files, splits or columns; a class that one split lacks; an image that cannot
        be read.
    """
    known = _known(root, image, label, train, test)
    return _samples.describe(known, size=size, channels=channels, test_fraction=test_fraction, source="parquet files")


def read(
    *,
    root: str,
    image: str | None = None,
    label: str | None = None,
    train: str = "train",
    test: str | None = None,
    size: int | None = None,
    channels: Literal[1, 3] | None = None,
    test_fraction: float | None = None,
) -> Iterator[Block]:
    """Yield the images (uint8) in store order; parameters and errors as :func:`describe`."""
    known = _known(root, image, label, train, test)
    described = _samples.describe(
        known, size=size, channels=channels, test_fraction=test_fraction, source="parquet files"
    )
    samples = _open(_shards.chosen(root, ".parquet", train, test), root, image, label)
    yield from _samples.blocks(samples, channels=described.channels, size=described.size, test_fraction=test_fraction)


def _known(root: str, image: str | None, label: str | None, train: str, test: str | None) -> dict[str, Any]:
    chosen = _shards.chosen(root, ".parquet", train, test)
    signature = [image, label, [[split, _files.stamp(file)] for split, file in chosen]]
    return _files.remembered("parquet", signature, lambda: _samples.scan(_open(chosen, root, image, label)))


def _open(chosen: Sequence[tuple[str, Path]], root: str, image: str | None, label: str | None) -> _samples.Samples:
    """Read the labels of all files; images are read when they are asked for."""
    tables = [Table(file) for _, file in chosen]
    features = tables[0].features()
    column = _column(tables[0], image, "image", "Image", _IMAGES, features)
    labels_in = _column(tables[0], label, "label", "ClassLabel", _LABELS, features)
    values = [value for table in tables for value in table.values(labels_in)]
    names = features.get(labels_in, {}).get("names")
    numbers, classes = _numbers(values, names, tables[0].path, labels_in)
    places = [(table, row) for table in tables for row in range(len(table))]
    split = [part for (part, _), table in zip(chosen, tables, strict=True) for _ in range(len(table))]
    ranks: dict[str, int] = {}
    samples = []
    for part in split:
        ranks[part] = ranks.get(part, -1) + 1
        samples.append(f"{part}/{ranks[part]:06d}" if part else f"{ranks[part]:06d}")
    cache = Groups(column)
    return _samples.Samples(root, split, numbers, samples, classes, lambda i: cache.image(*places[i]))


def _column(
    table: Table, chosen: str | None, parameter: str, kind: str, usual: Sequence[str], features: dict[str, Any]
) -> str:
    """Return the column that is meant: the one given, the usual one, or the only one of a kind."""
    if chosen is not None:
        if chosen not in table.columns:
            raise ConfigError(f"{parameter}: no column '{chosen}' in '{table.path}'; {nearest(chosen, table.columns)}")
        return chosen
    of_kind = [name for name in table.columns if features.get(name, {}).get("_type") == kind]
    for candidates in (of_kind, table.columns):
        named = [name for name in usual if name in candidates]
        if named or len(of_kind) == 1:
            return (named or of_kind)[0]
    raise ConfigError(
        f"'{table.path}' has no column that is known to hold the {parameter}; set '{parameter}' to one of "
        f"{', '.join(table.columns)}"
    )


def _numbers(values: list[Any], names: Any, path: Path, column: str) -> tuple[list[int], list[str]]:
    """Return labels as positions in the names of classes, and these names."""
    if values and all(isinstance(value, str) for value in values):
        classes = sorted(set(values))
        place = {name: i for i, name in enumerate(classes)}
        return [place[value] for value in values], classes
    if not all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        odd = next(i for i, value in enumerate(values) if not isinstance(value, int) or isinstance(value, bool))
        raise ConfigError(
            f"'{path}': column '{column}' holds {values[odd]!r:.40}, not one integer or text per image; set 'label' to "
            "the column that does"
        )
    if isinstance(names, list) and names:
        return values, [str(name) for name in names]
    there = sorted(set(values))
    if there and there[0] < 0:
        raise ConfigError(f"'{path}': column '{column}' holds {there[0]}, so images have no label; name another split")
    gap = next((i for i in range(len(there)) if there[i] != i), None)
    if gap is not None:
        raise ConfigError(f"'{path}': column '{column}' must hold 0..k-1 without gaps; found no {gap}")
    return values, [str(value) for value in there]

"""Images in parquet files, as the hub of Hugging Face and its cache hold them; read without the library ``datasets``.

A column holds the images (bytes of image files, names of files beside the parquet file, or a struct with ``bytes`` or
``path``), another one the labels. Names of classes
are those that the files' metadata give, and splits are known by the names of files or folders.
"""

from __future__ import annotations

import bisect
import json
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from freqmaps.core.errors import ConfigError, nearest
from freqmaps.datasets import _files, _samples, _shards
from freqmaps.datasets._api import Block, Description

UNKEYED = ("root",)
RANGES = {"test_fraction": "(0, 1)", "size": "[1, 8192]"}

_IMAGES = ("image", "img", "images", "picture", "png", "jpg")
_LABELS = ("label", "labels", "fine_label", "class", "target")
#: Bytes of decoded row groups that are kept in memory while images are read out of their order.
_KEPT_BYTES = 1 << 29


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
    tables = [_Table(file) for _, file in chosen]
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
    cache = _Groups(column)
    return _samples.Samples(root, split, numbers, samples, classes, lambda i: cache.image(*places[i]))


class _Table:
    """One parquet file, opened."""

    def __init__(self, path: Path) -> None:
        try:
            from pyarrow import ArrowException, parquet
        except ImportError as error:
            raise ConfigError("parquet: the package pyarrow is not installed; run pip install 'pyarrow>=18'") from error
        self.path, self.broken = path, (ArrowException, OSError)
        try:
            self.file = parquet.ParquetFile(path, memory_map=True)
        except self.broken as error:
            raise self.damaged(error) from error
        self.starts = [0]
        for group in range(self.file.num_row_groups):
            self.starts.append(self.starts[-1] + self.file.metadata.row_group(group).num_rows)

    def __len__(self) -> int:
        return self.starts[-1]

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self.file.schema_arrow.names)

    def damaged(self, error: Exception) -> ConfigError:
        """Return the sentence for a file that cannot be read."""
        reason = " ".join(str(error).split())[:120]
        return ConfigError(f"'{self.path}' is not a whole parquet file ({reason}); fetch it again")

    def features(self) -> dict[str, Any]:
        """Return what the library ``datasets`` has noted of each column: ``_type``, and ``names`` of classes."""
        try:
            noted = json.loads((self.file.schema_arrow.metadata or {})[b"huggingface"])
            found: dict[str, Any] = noted["info"]["features"]
            return {name: feature for name, feature in found.items() if isinstance(feature, dict)}
        except (KeyError, ValueError, TypeError, AttributeError):
            return {}

    def values(self, column: str) -> list[Any]:
        """Return a column's values."""
        if column not in self.columns:
            raise ConfigError(f"'{self.path}' has no column '{column}'; found: {', '.join(self.columns)}")
        try:
            found: list[Any] = self.file.read(columns=[column]).column(column).to_pylist()
        except self.broken as error:
            raise self.damaged(error) from error
        return found

    def group(self, number: int, column: str) -> Any:
        """Return a column of one row group."""
        try:
            return self.file.read_row_group(number, columns=[column]).column(column)
        except self.broken as error:
            raise self.damaged(error) from error


class _Groups:
    """Gives single images of parquet files, and keeps the row groups used last."""

    def __init__(self, column: str) -> None:
        self.column = column
        self.kept: OrderedDict[tuple[Path, int], Any] = OrderedDict()

    def image(self, table: _Table, row: int) -> bytes:
        """Return the bytes of the image in a row."""
        number = bisect.bisect_right(table.starts, row) - 1
        value = self._group(table, number)[row - table.starts[number]].as_py()
        where = f"'{table.path}' row {row}"
        if isinstance(value, dict):
            value = value.get("bytes") or value.get("path")
        if isinstance(value, str):
            return _beside(table.path, value, where)
        if not isinstance(value, bytes):
            raise ConfigError(
                f"{where}: column '{self.column}' holds no bytes of an image; name another one as 'image'"
            )
        return value

    def _group(self, table: _Table, number: int) -> Any:
        place = (table.path, number)
        if place in self.kept:
            self.kept.move_to_end(place)
            return self.kept[place]
        self.kept[place] = table.group(number, self.column)
        while len(self.kept) > 1 and sum(group.nbytes for group in self.kept.values()) > _KEPT_BYTES:
            self.kept.popitem(last=False)
        return self.kept[place]


def _beside(table: Path, name: str, where: str) -> bytes:
    """Read an image that a parquet file names instead of holding it; it must lie in or below the file's folder."""
    path = (table.parent / name).resolve()
    if not path.is_relative_to(table.parent.resolve()):
        raise ConfigError(f"{where}: the image '{name}' lies outside '{table.parent}', which is refused; put it there")
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{where}: the image '{name}' cannot be read ({error.strerror}); put it there") from error


def _column(
    table: _Table, given: str | None, parameter: str, kind: str, usual: Sequence[str], features: dict[str, Any]
) -> str:
    """Return the column that is meant: the one given, the usual one, or the only one of a kind."""
    if given is not None:
        if given not in table.columns:
            raise ConfigError(f"{parameter}: no column '{given}' in '{table.path}'; {nearest(given, table.columns)}")
        return given
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

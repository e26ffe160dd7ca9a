"""Parquet files: their columns, what is noted of them, and single images of row groups."""

from __future__ import annotations

import bisect
import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

from freqmaps.core.errors import ConfigError

#: Bytes of decoded row groups that are kept in memory while images are read out of their order.
_KEPT_BYTES = 1 << 29


class Table:
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
            features: dict[str, Any] = noted["info"]["features"]
            return {name: feature for name, feature in features.items() if isinstance(feature, dict)}
        except (KeyError, ValueError, TypeError, AttributeError):
            return {}

    def values(self, column: str) -> list[Any]:
        """Return a column's values."""
        if column not in self.columns:
            raise ConfigError(f"'{self.path}' has no column '{column}'; found: {', '.join(self.columns)}")
        try:
            values: list[Any] = self.file.read(columns=[column]).column(column).to_pylist()
        except self.broken as error:
            raise self.damaged(error) from error
        return values

    def group(self, number: int, column: str) -> Any:
        """Return a column of one row group."""
        try:
            return self.file.read_row_group(number, columns=[column]).column(column)
        except self.broken as error:
            raise self.damaged(error) from error


class Groups:
    """Gives single images of parquet files, and keeps the row groups used last."""

    def __init__(self, column: str) -> None:
        self.column = column
        self.kept: OrderedDict[tuple[Path, int], Any] = OrderedDict()

    def image(self, table: Table, row: int) -> bytes:
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

    def _group(self, table: Table, number: int) -> Any:
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

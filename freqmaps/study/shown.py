"""Copies of a study's tables, figures and pages at plain names such as ``results/tables/B25-T1.csv``.

Tables, figures and pages are keyed results; those of the current config are copied to plain names. An index beside the
copies, written last, says which result each was copied from, so that neither file times nor Snakemake's records matter.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from freqmaps.core import files
from freqmaps.core.errors import StoreError
from freqmaps.provenance import manifest

DECIDES_NUMBERS = False

INDEX = ".shown.json"


def read_index(shown: Path) -> dict[str, Any]:
    """Return the index of copies: by name, the ``path`` of the result below the root, and ``bytes`` of each file."""
    try:
        index = json.loads((shown / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return index if isinstance(index, dict) else {}


def is_current(shown: Path, name: str, path: str, index: Mapping[str, Any] | None = None) -> bool:
    """Return whether the copies of an item or a page are complete and are those of the result at this path."""
    entry = (read_index(shown) if index is None else index).get(name)
    if not isinstance(entry, dict) or entry.get("path") != path:
        return False
    return all(_size(shown / file) == size for file, size in entry.get("bytes", {}).items())


def lay(root: Path, shown: Path, wanted: Iterable[Mapping[str, Any]]) -> list[str]:
    """Copy results to their plain names, each file whole or not at all; return the names that were not current.

    Parameters
    ----------
    root, shown
        Where the results lie, and the folder of the plain names.
    wanted
        For each: ``name``, ``path`` of its result below the root, and ``files``: the plain name of each file.

    Raises
    ------
    StoreError
        A result is not finished or damaged.
    """
    index = read_index(shown)
    laid = []
    for result in wanted:
        if is_current(shown, result["name"], result["path"], index):
            continue
        folder = root / result["path"]
        manifest.check(folder)
        index.pop(result["name"], None)
        _write_index(shown, index)  # what is half laid is not current
        sizes = {}
        for file, plain in result["files"].items():
            sizes[plain] = _copy(folder / file, shown / plain)
        index[result["name"]] = {"path": result["path"], "bytes": sizes}
        _write_index(shown, index)
        laid.append(result["name"])
    return laid


def _copy(source: Path, target: Path) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    files.clear_half_written(target.parent, target.name)
    try:
        with files.whole(target) as temporary:
            shutil.copyfile(source, temporary)
    except FileNotFoundError as error:
        raise StoreError(f"{source}: missing; delete its folder and run the same target again") from error
    return target.stat().st_size


def _write_index(shown: Path, index: Mapping[str, Any]) -> None:
    shown.mkdir(parents=True, exist_ok=True)
    files.clear_half_written(shown, INDEX)
    files.write_text(shown / INDEX, json.dumps(index, indent=1, sort_keys=True) + "\n")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1

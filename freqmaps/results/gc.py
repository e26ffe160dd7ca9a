"""Garbage collection: list the results that no current study refers to, and delete them only on request."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from freqmaps.core.errors import StoreError
from freqmaps.provenance import shared_root
from freqmaps.results.scan import walk
from freqmaps.study.build import Study

DECIDES_NUMBERS = False


@dataclass(frozen=True)
class Garbage:
    """A keyed folder that no given study refers to: who made it, and whether a job is working there now."""

    folder: Path
    bytes: int
    finished: bool
    days: float
    mine: bool
    busy: bool


def unreferenced(studies: Iterable[Study]) -> list[Garbage]:
    """Return the keyed folders under the studies' roots that none of the studies refers to.

    Parameters
    ----------
    studies
        All studies whose results shall stay; they may have different roots.
    """
    referenced: dict[Path, set[Path]] = {}
    for study in studies:
        root = study.root.resolve()
        referenced.setdefault(root, set()).update(root / node.path for node in study.graph.nodes.values())
    return [_measure(f) for root, folders in referenced.items() for f in _keyed_folders(root) if f not in folders]


def _keyed_folders(root: Path) -> list[Path]:
    return [root / path for path, keyed in walk(root) if keyed] if root.is_dir() else []


def _measure(folder: Path) -> Garbage:
    files = [p for p in folder.rglob("*") if p.is_file()]
    newest = max((p.stat().st_mtime for p in files), default=folder.stat().st_mtime)
    size = sum(p.stat().st_size for p in files)
    finished = (folder / "manifest.json").exists()
    mine = folder.stat().st_uid == os.getuid()
    return Garbage(folder, size, finished, (time.time() - newest) / 86400, mine, shared_root.is_locked(folder))


def delete(garbage: Iterable[Garbage]) -> None:
    """Delete keyed folders: the manifest first, so that a half-deleted result never passes as whole.

    Raises
    ------
    StoreError
        A folder of another user, who does not share it.
    """
    for result in garbage:
        try:
            (result.folder / "manifest.json").unlink(missing_ok=True)
            shutil.rmtree(result.folder)
        except PermissionError as error:
            raise StoreError(f"{error.filename}: may not be deleted; ask whoever it belongs to") from error
        parent = result.folder.parent
        while not any(parent.iterdir()):
            parent.rmdir()
            parent = parent.parent

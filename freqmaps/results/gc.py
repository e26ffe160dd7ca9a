"""Garbage collection: list the results that no current study refers to, and delete them only on request."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
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

    root: Path
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
    return [_measure(root, f) for root, folders in referenced.items() for f in _keyed_folders(root) if f not in folders]


def _keyed_folders(root: Path) -> list[Path]:
    return [root / path for path, keyed in walk(root) if keyed] if root.is_dir() else []


def _measure(root: Path, folder: Path) -> Garbage:
    own = folder.stat()
    files = list(_standing(folder))
    newest = max((status.st_mtime for status in files), default=own.st_mtime)
    finished = (folder / "manifest.json").exists()
    size, days = sum(status.st_size for status in files), (time.time() - newest) / 86400
    mine, busy = own.st_uid == os.getuid(), shared_root.is_locked(folder)
    return Garbage(root, folder, size, finished, days, mine, busy)


def _standing(folder: Path) -> Iterator[os.stat_result]:
    """Yield what is known of all files in a folder that a job may be changing meanwhile."""
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            status = path.lstat()
            if not stat.S_ISDIR(status.st_mode):
                yield status


def delete(garbage: Iterable[Garbage]) -> None:
    """Delete keyed folders: the manifest first, so that a half-deleted result never passes as whole.

    Folders above them that are left empty go, too; the results root stays. A result that a job makes meanwhile is
    waited for.

    Raises
    ------
    StoreError
        A folder of another user, who does not share it.
    """
    for result in garbage:
        try:
            if not result.folder.is_dir():
                continue  # somebody else has deleted it
            with shared_root.lock(result.folder):
                (result.folder / "manifest.json").unlink(missing_ok=True)
                shutil.rmtree(result.folder)
        except PermissionError as error:
            raise StoreError(f"{error.filename}: may not be deleted; ask whoever it belongs to") from error
        parent = result.folder.parent
        with suppress(OSError):  # not empty, or a job has just put something there
            while parent != result.root:
                parent.rmdir()
                parent = parent.parent

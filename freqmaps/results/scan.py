"""Find every keyed folder under a results root and read its manifest: fast, since a lab's root has thousands."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from freqmaps.core.errors import FreqmapsError, StoreError
from freqmaps.provenance import manifest
from freqmaps.stages import places

DECIDES_NUMBERS = False

#: Files that a job leaves beside its manifest and that are no part of the result.
BESIDE = frozenset({manifest.NAME, ".lock", "log.txt", "benchmark.tsv"})
_READERS = 8


@dataclass(frozen=True)
class KeyedFolder:
    """A keyed folder.

    Attributes
    ----------
    root, path
        The results root, and the folder below it.
    sizes
        Bytes of every file in it, those of folders inside (``partial/...``) too.
    manifest
        What says that it is whole; None while unfinished, or where it cannot be read.
    error
        Why the manifest cannot be read.
    """

    root: Path
    path: str
    sizes: dict[str, int] = field(default_factory=dict)
    manifest: dict[str, Any] | None = None
    error: str | None = None

    @property
    def folder(self) -> Path:
        """The folder itself."""
        return self.root / self.path

    @property
    def key(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]

    @property
    def complete(self) -> bool:
        """Whether it has a manifest, and every file that this lists exists with the recorded size."""
        if self.manifest is None:
            return False
        return all(self.sizes.get(name) == recorded["bytes"] for name, recorded in self.manifest["files"].items())


def scan(root: Path | str) -> list[KeyedFolder]:
    """Return every keyed folder under a root, in order of path.

    Raises
    ------
    FreqmapsError
        There is no such folder.
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        raise FreqmapsError(f"{root}: no such results root; run a study, or name another folder")
    paths = sorted(p for p, keyed in walk(root) if keyed)
    with ThreadPoolExecutor(_READERS) as pool:  # reading waits for the disk, or for a file server
        return list(pool.map(lambda path: _read(root, path), paths))


def walk(root: Path, below: str = "") -> Iterator[tuple[str, bool]]:
    """Yield keyed folders (True) and stray files (False) below a root, as paths; keyed folders are not entered.

    Hidden folders and files directly in the root are no results and left out. A dataset's folder may be a link.
    """
    with suppress(FileNotFoundError), os.scandir(root / below) as entries:  # a job may just have removed it
        for entry in sorted(entries, key=lambda e: e.name):
            path = f"{below}/{entry.name}" if below else entry.name
            if not entry.is_dir(follow_symlinks=not below):
                if below:
                    yield path, False
            elif places.is_key(entry.name):
                yield path, True
            elif not entry.name.startswith("."):
                yield from walk(root, path)


def _read(root: Path, path: str) -> KeyedFolder:
    folder = root / path
    sizes = dict(_sizes(str(folder)))
    if manifest.NAME not in sizes:
        return KeyedFolder(root, path, sizes)
    try:
        content = manifest.read(folder / manifest.NAME)
    except StoreError as error:
        return KeyedFolder(root, path, sizes, error=str(error))
    missing = missing_part(content)
    if missing:
        return KeyedFolder(
            root, path, sizes, error=f"{folder / manifest.NAME}: {missing}; delete the file and run its target"
        )
    return KeyedFolder(root, path, sizes, content)


def _sizes(folder: str, below: str = "") -> Iterator[tuple[str, int]]:
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _sizes(entry.path, f"{below}{entry.name}/")
                continue
            with suppress(FileNotFoundError):  # the temporary file of a job that works here
                yield f"{below}{entry.name}", entry.stat(follow_symlinks=False).st_size


def missing_part(content: Any) -> str | None:
    """Return what a manifest lacks that every reader needs; None if it is complete."""
    if not isinstance(content, dict):
        return "not a manifest"
    for name, kind in {"stage": str, "files": dict, "spec": dict, "provenance": dict, "headline": dict}.items():
        if not isinstance(content.get(name), kind):
            return f"it has no '{name}'"
    spec = content["spec"]
    if not isinstance(spec.get("names"), dict) or not isinstance(spec.get("inputs"), dict):
        return "its spec has no 'names' or no 'inputs'"
    for file, recorded in content["files"].items():
        if not isinstance(recorded, dict) or not {"bytes", "sha256"} <= recorded.keys():
            return f"it records no size and SHA-256 of '{file}'"
    return None


def inputs(spec: Mapping[str, Any]) -> list[str]:
    """Return the keys of all inputs that a spec names, each once, in order."""
    return list(dict.fromkeys(key for _, key in _by_role(spec)))


def snapshots(spec: Mapping[str, Any]) -> set[str]:
    """Return the keys of those inputs that are snapshots of a training.

    Results do not need them to be whole: exports leave them out, and one run of the training makes them all again.
    """
    roles = {"snapshots", "checkpoint"} if "step" in spec["names"] else {"snapshots"}
    return {key for role, key in _by_role(spec) if role in roles}


def _by_role(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for role, keys in spec.get("inputs", {}).items():
        yield from ((role, key) for key in ([keys] if isinstance(keys, str) else keys))

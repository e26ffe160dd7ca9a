"""Writing files so that they appear complete, by a rename, or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

DECIDES_NUMBERS = False

#: What the names of temporary files and folders start with; the name of the file to come and random digits follow.
_PREFIX = ".writing-"


@contextmanager
def whole(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Give a temporary path beside a file; what the block writes there takes the file's place when the block ends.

    If the block raises, the file stays as it was and nothing is left beside it. Only a process that is killed leaves
    its temporary file, which :func:`clear_half_written` finds. The umask decides the mode of the new file, and every
    writer has a temporary file of its own, on whichever machine it runs.

    Parameters
    ----------
    path
        The file to write or replace; its folder exists.
    durable
        Wait until the content is on the disk before the rename, so that a machine that goes down leaves the old file
        or the new one. Without, it may leave a file that is cut short.

    Raises
    ------
    OSError
        The disk is full, or the folder cannot be written.
    """
    with beside(path) as temporary:
        yield temporary
        if durable:
            _flush(temporary)
        temporary.replace(path)


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Give an unused path beside a file, and remove the file or folder that lies there when the block ends."""
    temporary = path.with_name(f"{_PREFIX}{path.name}.{os.urandom(4).hex()}")
    try:
        yield temporary
    finally:
        _remove(temporary)


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a file whole or not at all; see :func:`whole`."""
    with whole(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all; see :func:`whole`."""
    write_bytes(path, text.encode("utf-8"))


def is_half_written(name: str) -> bool:
    """Return whether a name is that of a file or folder that a killed process left half written."""
    return name.startswith(_PREFIX)


def clear_half_written(folder: Path, name: str = "") -> None:
    """Remove half-written files of killed processes from a folder, of all names or of one.

    No other process may be writing there now.
    """
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name.startswith(f"{_PREFIX}{name}." if name else _PREFIX):
            _remove(path)


def _remove(path: Path) -> None:
    if not os.path.lexists(path):
        return
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):  # what is wrong with the disk has been told by the write
            path.unlink()


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""A results root that several users share: permissions of new files, and locks while a result is made.

A root is shared by giving its folder to a group and making it group-writable (``chmod 2770``): then all that is made
below it is group-writable too, whatever the umask of the user who makes it. Otherwise it is group-readable only.
Nothing is ever writable for others.
"""

from __future__ import annotations

import errno
import fcntl
import getpass
import logging
import os
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from freqmaps.core.errors import StoreError

DECIDES_NUMBERS = False

log = logging.getLogger("freqmaps")

#: What a file system answers that keeps no such locks, or none on files opened for reading (NFS).
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF, errno.EINVAL)
_DAY = 86400


def open_to_group(root: Path) -> None:
    """Let this process, and those that it starts, make files that the group of a results root can use.

    The umask is loosened for the group's reading, for its writing too if the root's folder (or, before it is made, the
    nearest one above it) is group-writable, and tightened for the writing of others.
    """
    shared = _standing(root).stat().st_mode & stat.S_IWGRP
    before = os.umask(0o077)
    os.umask(before & ~(0o070 if shared else 0o050) | 0o002)


def _standing(path: Path) -> Path:
    """Return the nearest existing folder: the path itself, or one above it."""
    path = path.absolute()
    while not os.path.isdir(path) and path != path.parent:  # noqa: PTH112 - Path.is_dir raises where it may not look
        path = path.parent
    return path


def check(outputs: Iterable[str], inputs: Iterable[str]) -> None:
    """Refuse to start on files that this user could not write, or not read.

    Parameters
    ----------
    outputs, inputs
        The files that the jobs to come will write, and those of the files they will read that exist already.

    Raises
    ------
    StoreError
        Names folder or file, owner, mode and remedy.
    """
    for file in map(Path, inputs):
        if os.path.exists(file) and not os.access(file, os.R_OK):  # noqa: PTH110 - as above
            raise StoreError(f"{file} cannot be read: it {_owned(file)}; ask its owner for `chmod g+r`")
    blocked = [folder for folder in (_standing(Path(file).parent) for file in outputs) if not _usable(folder)]
    if blocked:
        raise StoreError(
            f"{len(blocked)} files cannot be written: folder {blocked[0]} {_owned(blocked[0])}; ask its owner for "
            "`chmod g+rwxs`, or set 'results' to a folder of your own"
        )


def _usable(folder: Path) -> bool:
    return os.access(folder, os.R_OK | os.W_OK | os.X_OK)


def _owned(path: Path) -> str:
    """Return ``belongs to anna:lab (drwxr-x---), and you are bert`` for a message."""
    status = path.stat()
    return f"belongs to {path.owner()}:{path.group()} ({stat.filemode(status.st_mode)}), and you are {_user()}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def usable(folder: Path) -> Path:
    """Make a folder that may be another user's, and return it.

    Raises
    ------
    StoreError
        It cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not _usable(folder):
        raise StoreError(f"{folder} cannot be written: it {_owned(folder)}; ask its owner to delete it")
    return folder


@contextmanager
def lock(folder: Path) -> Iterator[bool]:
    """Hold a folder's lock; another user's or another run of the same result waits for it.

    The kernel frees it when a run is killed. On a file system that keeps no locks the work goes on without: two makers
    of one result then waste time, and each replaces whole files only.

    Yields
    ------
    bool
        Whether the lock is held, so that nobody else works in the folder.
    """
    path = folder / ".lock"
    handle, held = _locked(path)
    while not _is_at(handle, path):  # deleted while this run waited, perhaps with its folder
        os.close(handle)
        folder.mkdir(parents=True, exist_ok=True)
        handle, held = _locked(path)
    try:
        yield held
    finally:
        os.close(handle)


def is_locked(folder: Path) -> bool:
    """Whether a run is working in a folder now; where there are no locks, whether anything changed there today."""
    try:
        handle = _opened(folder / ".lock", make=False)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        return error.errno in _NO_LOCKS and time.time() - folder.stat().st_mtime < _DAY
    finally:
        os.close(handle)
    return False


def _locked(path: Path) -> tuple[int, bool]:
    handle, held = _opened(path), True
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("another run is making %s; waiting for it", path.parent)
            fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            os.close(handle)
            raise
        log.warning("%s: no lock (%s); going on without", path, error.strerror)
        held = False
    return handle, held


def _opened(path: Path, *, make: bool = True) -> int:
    """Open a lock file, for writing if it may be: NFS locks no other."""
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if make else 0), 0o666)
    except PermissionError:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False

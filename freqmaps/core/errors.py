"""The one exception that users see, and the sentence it prints."""

from __future__ import annotations

import difflib
import errno
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path

DECIDES_NUMBERS = False


class FreqmapsError(Exception):
    """Bad input: one clear sentence that names the place and the remedy."""


class ConfigError(FreqmapsError):
    """The config cannot be used as it stands; nothing has been started."""


class StoreError(FreqmapsError):
    """A store is missing, truncated, corrupt, or does not keep its contract."""


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Return the tail of an error message: the nearest valid name and all valid ones.

    >>> nearest("pdg", ["pgd", "fmn"])
    "did you mean 'pgd'? Valid: fmn, pgd"
    """
    names = sorted(str(a) for a in allowed)
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}Valid: {', '.join(names) if names else '(none)'}"


def one_sentence(error: BaseException, longest: int = 300) -> str:
    """Return an exception in one sentence: its type, what it says, and, where it is the user's own, file and line."""
    text = " ".join(str(error).split())
    text = text if len(text) <= longest else f"{text[:longest]}..."
    sentence = f"{type(error).__name__}: {text}" if text else type(error).__name__
    place = own_line(error)
    return f"{sentence} ({place})" if place else sentence


def own_line(error: BaseException) -> str | None:
    """Return ``file, line 12, in forward`` of the innermost line that the user wrote; None if there is none.

    The user's is what belongs neither to this package, nor to a library, nor to the script that runs.
    """
    line = None
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if path.is_file() and not _is_a_librarys(path.resolve()):
            line = f"{_short(path)}, line {frame.lineno}, in {frame.name}"
    return line


def _is_a_librarys(path: Path) -> bool:
    package = Path(__file__).resolve().parent.parent
    script = Path(sys.argv[0]).resolve().parent if sys.argv[0] else package
    folders = [package, *(Path(prefix).resolve() for prefix in {sys.prefix, sys.base_prefix})]
    within = any(path.is_relative_to(folder) for folder in folders)
    return within or path.parent == script or "site-packages" in path.parts


def _short(path: Path) -> str:
    """Return a path from the working directory where it lies below it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


#: What the system says when there is no room left; a limit on file sizes or a quota is no room either.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_AWAY = {errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ENODEV, errno.ENXIO, errno.EHOSTDOWN, errno.ETIMEDOUT}
_ABSENT, _IN_THE_WAY = {errno.ENOENT}, {errno.EEXIST, errno.ENOTDIR}


def storage_problem(error: OSError) -> str | None:
    """Return the sentence for a disk that is full, refuses, does not answer or is gone; None for any other error.

    >>> storage_problem(OSError(28, "No space left on device"))
    'disk full ([Errno 28] No space left on device); free some space and run the same target again'
    """
    if error.errno in _FULL:
        return f"disk full ({error}); free some space and run the same target again"
    if error.errno in _REFUSED:
        return f"not permitted ({error}); give yourself the right to read and write there, or name another 'results'"
    if error.errno in _AWAY:
        return f"the storage does not answer ({error}); see that it is mounted and run the same target again"
    folder = Path(error.filename or "").parent
    if error.errno in _ABSENT and error.filename and not folder.is_dir():
        return (
            f"{folder}: no such folder, or gone meanwhile ({error}); mount its disk again and run the same target again"
        )
    if error.errno in _IN_THE_WAY:
        return f"{error.filename}: a file, or a link to nothing, where a folder is needed; is its disk mounted?"
    return None

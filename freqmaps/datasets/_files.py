"""A cache of digests and properties of dataset files, valid as long as the files do not change.

A dry run asks for the digest of every dataset. Reading sixty thousand files takes half a minute, asking for their
sizes and times a fraction of a second; so the answer is kept in the user's cache folder under a signature of those.
The content itself is in the dataset's identity: this module decides no number.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from freqmaps.core.cache import cache_folder
from freqmaps.core.errors import ConfigError, NotHereError
from freqmaps.core.files import write_text
from freqmaps.core.paths import expanded as expanded

DECIDES_NUMBERS = False

#: Raise it when the answers change their meaning: older ones are then no longer found.
_VERSION = 2


def stamp(path: Path) -> list[Any]:
    """Return what tells that a file is still the same: resolved path, size, times of change.

    The time of the last change of the inode cannot be set by a program, so a file replaced by another of equal size
    and date (as unpacked archives have) is seen too.

    Raises
    ------
    ConfigError
        There is no such file.
    """
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise NotHereError(f"'{path}': {error.strerror}; correct the path") from error
    except OSError as error:
        raise ConfigError(f"'{path}': {error.strerror}; correct the path") from error
    return [str(path.resolve()), status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def remembered(topic: str, signature: Any, find_out: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the answer remembered for a signature, or find it out and remember it.

    A cache that cannot be read or written costs time and nothing else.

    Parameters
    ----------
    topic
        What was asked.
    signature
        JSON; all that the answer depends on.
    find_out
        Gives the answer, JSON; what it raises is raised, and not remembered.
    """
    text = json.dumps([_VERSION, topic, signature])
    key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    try:
        path = cache_folder() / "datasets" / f"{key[:32]}.json"
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["key"] == key and isinstance(kept["answer"], dict):
            return kept["answer"]
    except (OSError, RuntimeError, ValueError, KeyError, TypeError):
        pass  # no home folder, nothing remembered yet, or a damaged file: find out anew
    answer = find_out()
    _remember(key, answer)
    return answer


def _remember(key: str, answer: dict[str, Any]) -> None:
    try:
        folder = cache_folder() / "datasets"
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / f"{key[:32]}.json", json.dumps({"key": key, "answer": answer}))
    except (OSError, RuntimeError):
        return


def md5(path: Path) -> str:
    """Return a file's MD5, which is what the authors of the classic datasets publish; remembered.

    Raises
    ------
    ConfigError
        There is no such file, or it cannot be read.
    """

    def find_out() -> dict[str, Any]:
        try:
            with path.open("rb") as handle:
                return {"md5": hashlib.file_digest(handle, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()}
        except OSError as error:
            raise ConfigError(f"'{path}': {error.strerror}; make the file readable") from error

    return str(remembered("md5", stamp(path), find_out)["md5"])


def content_digest(files: Iterable[tuple[str, int, str]]) -> str:
    """Return one digest for many files, whatever their order.

    Parameters
    ----------
    files
        Name, size in bytes and SHA-256 (hex) of each.
    """
    whole = hashlib.sha256()
    for name, size, digest in sorted(files):
        whole.update(f"{name}\0{size}\0{digest}\n".encode())
    return whole.hexdigest()


class Patience:
    """Tell on the standard error stream how far a first scan has come, if it takes more than two seconds.

    Parameters
    ----------
    what
        What is done, for the reader.
    total
        How many steps there are.
    """

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.done = what, total, 0
        self.next = time.monotonic() + 2.0

    def step(self) -> None:
        """Count one step."""
        self.done += 1
        if time.monotonic() >= self.next:
            self.next += 5.0
            share = 100 * self.done // max(1, self.total)
            print(f"{self.what} (this time only): {self.done} of {self.total}, {share} %", file=sys.stderr, flush=True)

"""Folders, tar and zip archives seen alike: a list of members, and their bytes. Nothing is ever unpacked."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol

from freqmaps.core.errors import ConfigError, NotHereError
from freqmaps.datasets import _files

#: What a broken archive makes its reader raise.
_BROKEN = (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, zlib.error, lzma.LZMAError,
           tarfile.TarError, zipfile.BadZipFile)  # fmt: skip

_COMPRESSED: dict[bytes, Callable[[Path], Any]] = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}


@dataclass(frozen=True)
class Listing:
    """The members of a source by name (``/`` between folders), without hidden ones.

    Attributes
    ----------
    files
        Size in bytes of every file.
    folders
        Every folder, empty ones too.
    """

    files: dict[str, int] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)


class Source(Protocol):
    """A place that holds files."""

    path: Path

    def stamp(self) -> list[Any]:
        """Return what tells that the source is unchanged, without reading any content; JSON."""

    def listing(self) -> Listing:
        """Return the members."""

    def opened(self, *, in_order: bool) -> AbstractContextManager[Callable[[str], bytes]]:
        """Open it and give a function from a member's name to its bytes.

        ``in_order`` promises that members are read in the order of the listing.
        """


def source(path: Path, where: str) -> Source:
    """Return the folder or archive at a path.

    Parameters
    ----------
    path
        A folder, or a .tar (also .gz, .bz2, .xz) or .zip archive.
    where
        The parameter that names it, for messages.

    Raises
    ------
    ConfigError
        Nothing is there, or something else.
    """
    if path.is_dir():
        return Folder(path)
    if not path.is_file():
        raise NotHereError(f"{where}: no such folder or archive: '{path}'; correct the path")
    try:
        if tarfile.is_tarfile(path):
            return Tar(path)
        if zipfile.is_zipfile(path):
            return Zip(path)
    except OSError as error:
        raise ConfigError(f"{where}: '{path}': {error.strerror}; make the file readable") from error
    except (EOFError, zlib.error, lzma.LZMAError) as error:
        raise ConfigError(f"{where}: '{path}' is not a whole archive ({error}); fetch it again") from error
    raise ConfigError(f"{where}: '{path}' is neither a folder nor a .tar or .zip archive")


class Folder:
    """A folder on disk; links are followed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listing: Listing | None = None
        self._times: list[Any] = []

    def stamp(self) -> list[Any]:
        """Return path, and name, size and times of all members."""
        folders = sorted(self.listing().folders)
        return [str(self.path.resolve()), folders, self._times]

    def listing(self) -> Listing:
        """Return the members; the folder is walked once."""
        if self._listing is None:
            self._listing = Listing()
            try:
                self._walk(self.path, "", ())
            except OSError as error:
                raise ConfigError(f"'{error.filename}': {error.strerror}; correct or remove it") from error
        return self._listing

    def _walk(self, folder: Path | str, prefix: str, above: tuple[str, ...]) -> None:
        assert self._listing is not None
        real = os.path.realpath(folder)
        if real in above:
            raise ConfigError(f"'{folder}' is a link to a folder that it lies in; remove the link")
        with os.scandir(folder) as scanned:
            entries = sorted(scanned, key=lambda e: e.name)
        for entry in entries:
            name = prefix + entry.name
            if _hidden(name):
                continue
            if entry.is_dir():
                self._listing.folders.add(name)
                self._walk(entry.path, name + "/", (*above, real))
                continue
            status = entry.stat()
            self._listing.files[name] = status.st_size
            self._times.append([name, status.st_size, status.st_mtime_ns, status.st_ctime_ns])

    @contextmanager
    def opened(self, *, in_order: bool) -> Iterator[Callable[[str], bytes]]:
        """Give a function that reads a file."""

        def read(name: str) -> bytes:
            try:
                return (self.path / name).read_bytes()
            except OSError as error:
                raise ConfigError(f"'{self.path / name}': {error.strerror}; make the file readable") from error

        yield read


class Tar:
    """A tar archive, compressed or not."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offsets: dict[str, tuple[int, int]] = {}
        self._listing: Listing | None = None

    def stamp(self) -> list[Any]:
        """Return path, size and times of the archive."""
        return _files.stamp(self.path)

    def listing(self) -> Listing:
        """Return the members, refusing names and kinds that an honest archive of images does not have."""
        if self._listing is None:
            listing = Listing()
            with _sound(self.path), tarfile.open(self.path, "r:*") as archive:
                for member in archive:
                    self._add(listing, member)
            self._listing = listing
        return self._listing

    def _add(self, listing: Listing, member: tarfile.TarInfo) -> None:
        name = _safe(member.name, self.path)
        if _hidden(name):
            return
        if member.isdir():
            _add_folders(listing, name)
        elif not member.isreg() or member.issparse():
            raise ConfigError(
                f"'{self.path}': member '{member.name}' is a link or a special file, which is refused; "
                "pack the files themselves"
            )
        else:
            _add_file(listing, name, member.size, self.path)
            self._offsets[name] = (member.offset_data, member.size)

    @contextmanager
    def opened(self, *, in_order: bool) -> Iterator[Callable[[str], bytes]]:
        """Give a function that reads a member.

        To read a compressed archive out of order, it is first decompressed to a temporary file without a name.
        """
        self.listing()
        with _tar_bytes(self.path, spool=not in_order) as handle:

            def read(name: str) -> bytes:
                start, size = self._offsets[name]
                with _sound(self.path):
                    handle.seek(start)
                    data: bytes = handle.read(size)
                if len(data) != size:
                    raise ConfigError(f"'{self.path}' ends in the middle of '{name}'; fetch it again")
                return data

            yield read


class Zip:
    """A zip archive."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listing: Listing | None = None

    def stamp(self) -> list[Any]:
        """Return path, size and times of the archive."""
        return _files.stamp(self.path)

    def listing(self) -> Listing:
        """Return the members; the archive is looked at once."""
        if self._listing is None:
            self._listing = self._list()
        return self._listing

    def _list(self) -> Listing:
        listing = Listing()
        with _sound(self.path), zipfile.ZipFile(self.path) as archive:
            for member in archive.infolist():
                name = _safe(member.filename, self.path)
                if _hidden(name):
                    continue
                if member.is_dir():
                    _add_folders(listing, name)
                else:
                    _add_file(listing, name, member.file_size, self.path)
        return listing

    @contextmanager
    def opened(self, *, in_order: bool) -> Iterator[Callable[[str], bytes]]:
        """Give a function that reads a member and checks its CRC."""
        with _sound(self.path):
            archive = zipfile.ZipFile(self.path)
        with archive:
            names = {_safe(m.filename, self.path): m for m in archive.infolist()}

            def read(name: str) -> bytes:
                with _sound(self.path):
                    return archive.read(names[name])

            yield read


@contextmanager
def _sound(path: Path) -> Iterator[None]:
    """Turn what a broken archive raises into one sentence."""
    try:
        yield
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno:
            raise  # a full disk, say: no fault of the archive
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(f"'{path}' is not a whole archive ({reason}); fetch it again") from error


@contextmanager
def _tar_bytes(path: Path, *, spool: bool) -> Iterator[IO[bytes]]:
    with path.open("rb") as plain:
        decompress = _COMPRESSED.get(plain.read(2))
        if decompress is None:
            yield plain
            return
    with decompress(path) as stream:
        if not spool:
            yield stream
            return
        with tempfile.TemporaryFile() as whole:
            with _sound(path):
                shutil.copyfileobj(stream, whole, 1 << 20)
            yield whole


def _safe(name: str, path: Path) -> str:
    """Return a member's name without ``./``; refuse one that would lie outside."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if name.startswith(("/", "\\")) or ".." in parts or (parts and parts[0].endswith(":")):
        raise ConfigError(f"'{path}': member '{name}' points outside the archive, which is refused; pack it anew")
    return "/".join(parts)


def _hidden(name: str) -> bool:
    """Tell names that file managers leave behind: ``.DS_Store``, ``._photo.jpg``, ``__MACOSX/``."""
    return not name or any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _add_folders(listing: Listing, name: str) -> None:
    while name and name not in listing.folders:
        listing.folders.add(name)
        name = name.rpartition("/")[0]


def _add_file(listing: Listing, name: str, size: int, path: Path) -> None:
    if name in listing.files:
        raise ConfigError(f"'{path}' holds '{name}' twice; pack it anew")
    listing.files[name] = size
    _add_folders(listing, name.rpartition("/")[0])

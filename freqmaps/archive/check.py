"""Read an archive from another lab: everything in it is checked before it is used."""

from __future__ import annotations

import collections
import json
import re
import stat
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freqmaps.archive import layout
from freqmaps.core.errors import FreqmapsError
from freqmaps.provenance import keys, manifest
from freqmaps.results.scan import inputs, missing_part, snapshots
from freqmaps.stages import places

DECIDES_NUMBERS = False

#: A text member larger than this is none of ours: a manifest has a few kB.
_TEXT_BYTES = 64 << 20


@dataclass(frozen=True)
class Packed:
    """A result in an archive, its description checked: place, key and file names; its files are not read yet.

    Attributes
    ----------
    path
        Where it belongs below a results root.
    manifest, text
        Its manifest, parsed and as it stands.
    members
        Member by file, without the manifest.
    """

    path: str
    manifest: dict[str, Any]
    text: bytes
    members: Mapping[str, zipfile.ZipInfo]

    @property
    def key(self) -> str:
        """Its key."""
        return self.path.rpartition("/")[2]

    @property
    def bytes(self) -> int:
        """Size of its files."""
        return sum(info.file_size for info in self.members.values())

    @property
    def inputs(self) -> list[str]:
        """Keys of its inputs."""
        return inputs(self.manifest["spec"])

    @property
    def snapshots(self) -> set[str]:
        """Keys of those inputs that are snapshots of trainings."""
        return snapshots(self.manifest["spec"])


def open_archive(path: Path) -> zipfile.ZipFile:
    """Open an archive.

    Raises
    ------
    FreqmapsError
        No such file, or not a whole archive.
    """
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError as error:
        raise FreqmapsError(f"{path}: no such archive") from error
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise FreqmapsError(f"{path}: not a whole archive ({error}); fetch or export it again") from error


def read(archive: zipfile.ZipFile) -> tuple[list[Packed], dict[str, str]]:
    """Check an archive's names, description, manifests and keys; return its results and every member's SHA-256.

    Raises
    ------
    FreqmapsError
        Naming the first member that is not as an export writes it.
    """
    where = str(archive.filename)
    members = _members(archive, where)
    texts = {name: _text(archive, members, name, where) for name in (layout.INDEX, layout.SUMS, layout.CATALOG)}
    index = _json(texts[layout.INDEX], f"{where}: {layout.INDEX}")
    if not isinstance(index, dict) or index.get("format") != layout.FORMAT:
        raise FreqmapsError(f"{where}: not an archive of freqmaps results")
    if index.get("version") != layout.VERSION:
        raise FreqmapsError(
            f"{where}: written in version {index.get('version')!r} of the archive's format, this freqmaps reads "
            f"{layout.VERSION}; use the release that wrote it"
        )
    sums = layout.read_sums(texts[layout.SUMS].decode("utf-8", "replace"))
    if sums is None or set(sums) != set(members) - {layout.SUMS}:
        raise FreqmapsError(f"{where}: {layout.SUMS} does not list its members")
    results = _results(archive, members, where)
    if index.get("results") != len(results):
        raise FreqmapsError(f"{where}: holds {len(results)} results, its index says {index.get('results')!r}")
    return results, sums


def _members(archive: zipfile.ZipFile, where: str) -> dict[str, zipfile.ZipInfo]:
    """Return the members by name; only plain files at plain places, stored, each once, and no longer than the file."""
    infos = archive.infolist()
    # A truncated archive ends inside a store, itself a zip file: its directory does not begin at the beginning.
    if min((info.header_offset for info in infos), default=1):
        raise FreqmapsError(f"{where}: not a whole archive (its beginning or end is missing); fetch or export it again")
    for info in infos:
        problem = _unsafe(info)
        if problem:
            raise FreqmapsError(f"{where}: member {info.filename!r} {problem}; nothing was imported")
    folded = collections.Counter(info.filename.casefold() for info in infos)
    twice = next((name for name, count in folded.items() if count > 1), None)
    if twice is not None:
        raise FreqmapsError(f"{where}: member {twice!r} is there twice; nothing was imported")
    if sum(info.file_size for info in infos) > Path(where).stat().st_size:
        raise FreqmapsError(f"{where}: its members overlap; nothing was imported")
    return {info.filename: info for info in infos}


def _unsafe(info: zipfile.ZipInfo) -> str | None:
    mode = info.external_attr >> 16
    if info.filename != info.orig_filename or not re.fullmatch(r"[A-Za-z0-9._/-]+", info.filename):
        return "has a name that no result has"
    if any(part in ("", ".", "..") for part in info.filename.split("/")):
        return "leads out of its folder"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "is a link or a device, not a file"
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size or info.flag_bits & 0x1:
        return "is compressed or encrypted, which no export does"
    if not info.filename.startswith(layout.RESULTS) and info.filename not in (
        layout.INDEX, layout.CATALOG, layout.SUMS
    ):  # fmt: skip
        return "is not part of a result"
    return None


def _text(archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], name: str, where: str) -> bytes:
    if name not in members:
        raise FreqmapsError(f"{where}: not an archive of freqmaps results (no {name})")
    if members[name].file_size > _TEXT_BYTES:
        raise FreqmapsError(f"{where}: {name} is larger than any that an export writes")
    try:
        return archive.read(members[name])
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise FreqmapsError(f"{where}: {name} is damaged ({error}); fetch or export it again") from error


def _json(text: bytes, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FreqmapsError(f"{where}: not JSON ({error})") from error


def _results(archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], where: str) -> list[Packed]:
    by_folder = collections.defaultdict[str, dict[str, zipfile.ZipInfo]](dict)
    for name, info in members.items():
        if name.startswith(layout.RESULTS):
            folder, _, file = name.removeprefix(layout.RESULTS).rpartition("/")
            by_folder[folder][file] = info
    return [_result(archive, path, files, where) for path, files in sorted(by_folder.items())]


def _result(archive: zipfile.ZipFile, path: str, members: dict[str, zipfile.ZipInfo], where: str) -> Packed:
    place = f"{where}: {path}"
    if places.parse(path) is None:
        raise FreqmapsError(f"{place}: no stage's results lie there; it may come from a newer freqmaps")
    text = _text(
        archive, {manifest.NAME: members[manifest.NAME]} if manifest.NAME in members else {}, manifest.NAME, place
    )
    content = _json(text, f"{place}/{manifest.NAME}")
    lacking = missing_part(content) or _own(content, path)
    if lacking:
        raise FreqmapsError(f"{place}: {lacking}; nothing was imported")
    files = {name: info for name, info in members.items() if name != manifest.NAME}
    problem = _files(content["files"], files)
    if problem:
        raise FreqmapsError(f"{place}: {problem}; nothing was imported")
    return Packed(path, content, text, files)


def _own(content: Mapping[str, Any], path: str) -> str | None:
    """Say why a manifest is not that of this place."""
    spec, key = content["spec"], path.rpartition("/")[2]
    try:
        derived = keys.key(spec)
    except (TypeError, ValueError) as error:
        return f"its spec has no key ({error})"
    if derived != key or content.get("key") != key:
        return f"its spec has key {derived}, not that of its folder"
    if spec.get("stage") != content["stage"] or places.place(content["stage"], spec["names"], key) != path:
        return "it does not lie where its stage and names say"
    return None


def _files(recorded: Mapping[str, Mapping[str, Any]], files: Mapping[str, zipfile.ZipInfo]) -> str | None:
    if set(recorded) != set(files):
        return f"its manifest names {sorted(recorded)}, the archive holds {sorted(files)}"
    for name, info in files.items():
        if not layout.FILE.fullmatch(name):
            return f"{name!r} is no name of a result's file"
        if recorded[name]["bytes"] != info.file_size:
            return f"{name} has {info.file_size} bytes, {recorded[name]['bytes']} recorded"
    return None


def order(results: Sequence[Packed]) -> list[Packed]:
    """Return results with inputs before what was made from them."""
    by_key = {result.key: result for result in results}
    placed: dict[str, Packed] = {}

    def place(result: Packed, above: frozenset[str]) -> None:
        for key in result.inputs:
            if key in by_key and key not in above and by_key[key].path not in placed:
                place(by_key[key], above | {result.key})
        placed.setdefault(result.path, result)

    for result in results:
        place(result, frozenset({result.key}))
    return list(placed.values())

"""Write chosen results, and all that they were made from, into one archive file."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from freqmaps.archive import layout
from freqmaps.core import jsons
from freqmaps.core.errors import FreqmapsError, storage_problem
from freqmaps.core.files import whole
from freqmaps.provenance import manifest
from freqmaps.results.page import csv_text
from freqmaps.results.rows import rows
from freqmaps.results.scan import KeyedFolder, inputs

DECIDES_NUMBERS = False

_DATE = (1980, 1, 1, 0, 0, 0)


def write(target: Path, chosen: Sequence[KeyedFolder], along: Sequence[KeyedFolder]) -> int:
    """Write results to an archive, whole or not at all, and return its size in bytes.

    Parameters
    ----------
    target
        The file; it must not exist.
    chosen, along
        What was asked for, and what it was made from: as from :func:`freqmaps.archive.choose`.

    Raises
    ------
    FreqmapsError
        The file exists, cannot be written, or a result's file is not what its manifest says.
    """
    if target.exists():
        raise FreqmapsError(f"{target}: exists already; name another file, or delete it")
    if not target.parent.is_dir():
        raise FreqmapsError(f"{target}: there is no folder {target.parent}; make it, or name another file")
    everything = sorted([*chosen, *along], key=lambda result: result.path)
    try:
        with (
            whole(target) as temporary,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED, allowZip64=True) as archive,
        ):
            _write_texts(archive, chosen, everything)
            for result in everything:
                _write_result(archive, result)
    except OSError as error:
        problem = storage_problem(error) or f"could not be written ({error})"
        raise FreqmapsError(f"{target}: {problem}; nothing was kept") from error
    return target.stat().st_size


def files(result: KeyedFolder) -> list[str]:
    """Return the files of a result that belong in an archive, its manifest last."""
    assert result.manifest is not None
    return [*sorted(result.manifest["files"]), manifest.NAME]


def _write_texts(archive: zipfile.ZipFile, chosen: Sequence[KeyedFolder], everything: Sequence[KeyedFolder]) -> None:
    """Write what describes the archive; it knows the results' digests from their manifests."""
    packed = [replace(result, sizes={name: result.sizes[name] for name in files(result)}) for result in everything]
    texts = {layout.INDEX: _index(chosen, everything), layout.CATALOG: csv_text(rows(packed))}
    digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
    for result in everything:
        assert result.manifest is not None
        recorded = {name: entry["sha256"] for name, entry in result.manifest["files"].items()}
        recorded[manifest.NAME] = manifest.sha256(result.folder / manifest.NAME)
        digests |= {_member(result, name): digest for name, digest in recorded.items()}
    for name, text in [*texts.items(), (layout.SUMS, layout.sums_text(digests))]:
        with archive.open(_info(name), "w") as sink:
            sink.write(text.encode())


def _index(chosen: Sequence[KeyedFolder], everything: Sequence[KeyedFolder]) -> str:
    packed_keys = {result.key for result in everything}
    needed = {key for result in everything if result.manifest for key in inputs(result.manifest["spec"])}
    index = {
        "format": layout.FORMAT,
        "version": layout.VERSION,
        "results": len(everything),
        "chosen": sorted(result.path for result in chosen),
        "left_out": sorted(needed - packed_keys),
    }
    return jsons.text(index, indent=1) + "\n"


def _write_result(archive: zipfile.ZipFile, result: KeyedFolder) -> None:
    assert result.manifest is not None
    for name in files(result):
        digest = hashlib.sha256()
        with (result.folder / name).open("rb") as source, archive.open(
            _info(_member(result, name)), "w", force_zip64=True
        ) as sink:  # fmt: skip
            while block := source.read(layout.BLOCK):
                digest.update(block)
                sink.write(block)
        recorded = result.manifest["files"].get(name, {}).get("sha256")
        if recorded not in (None, digest.hexdigest()):
            raise FreqmapsError(
                f"{result.folder / name}: content differs from its recorded SHA-256; delete its folder and "
                "make it again"
            )


def _member(result: KeyedFolder, name: str) -> str:
    return f"{layout.RESULTS}{result.path}/{name}"


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=_DATE)
    info.external_attr = 0o100644 << 16
    info.create_system = 3
    return info

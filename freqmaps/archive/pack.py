"""Write chosen results, and all that they were made from, into one archive file."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from freqmaps.archive import layout
from freqmaps.core import jsons
from freqmaps.core.errors import FreqmapsError
from freqmaps.core.files import whole
from freqmaps.provenance import manifest
from freqmaps.results.page import csv_text
from freqmaps.results.rows import rows
from freqmaps.results.scan import Found, inputs

DECIDES_NUMBERS = False

_DATE = (1980, 1, 1, 0, 0, 0)


def write(target: Path, chosen: Sequence[Found], along: Sequence[Found]) -> int:
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
    everything = sorted([*chosen, *along], key=lambda one: one.path)
    try:
        with (
            whole(target) as temporary,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED, allowZip64=True) as archive,
        ):
            _write_texts(archive, chosen, everything)
            for one in everything:
                _write_result(archive, one)
    except OSError as error:
        raise FreqmapsError(f"{target}: could not be written ({error.strerror or error}); nothing was kept") from error
    return target.stat().st_size


def files(one: Found) -> list[str]:
    """Return the files of a result that belong in an archive, its manifest last."""
    assert one.manifest is not None
    return [*sorted(one.manifest["files"]), manifest.NAME]


def _write_texts(archive: zipfile.ZipFile, chosen: Sequence[Found], everything: Sequence[Found]) -> None:
    """Write what describes the archive; it knows the results' digests from their manifests."""
    packed = [replace(one, sizes={name: one.sizes[name] for name in files(one)}) for one in everything]
    texts = {layout.INDEX: _index(chosen, everything), layout.CATALOG: csv_text(rows(packed))}
    digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
    for one in everything:
        assert one.manifest is not None
        recorded = {name: entry["sha256"] for name, entry in one.manifest["files"].items()}
        recorded[manifest.NAME] = manifest.sha256(one.folder / manifest.NAME)
        digests |= {_member(one, name): digest for name, digest in recorded.items()}
    for name, text in [*texts.items(), (layout.SUMS, layout.sums_text(digests))]:
        with archive.open(_info(name), "w") as sink:
            sink.write(text.encode())


def _index(chosen: Sequence[Found], everything: Sequence[Found]) -> str:
    there = {one.key for one in everything}
    needed = {key for one in everything if one.manifest for key in inputs(one.manifest["spec"])}
    index = {
        "format": layout.FORMAT,
        "version": layout.VERSION,
        "results": len(everything),
        "chosen": sorted(one.path for one in chosen),
        "left_out": sorted(needed - there),
    }
    return jsons.text(index, indent=1) + "\n"


def _write_result(archive: zipfile.ZipFile, one: Found) -> None:
    assert one.manifest is not None
    for name in files(one):
        digest = hashlib.sha256()
        with (one.folder / name).open("rb") as source, archive.open(
            _info(_member(one, name)), "w", force_zip64=True
        ) as sink:  # fmt: skip
            while block := source.read(layout.BLOCK):
                digest.update(block)
                sink.write(block)
        recorded = one.manifest["files"].get(name, {}).get("sha256")
        if recorded not in (None, digest.hexdigest()):
            raise FreqmapsError(
                f"{one.folder / name}: content differs from its recorded SHA-256; delete its folder and make it again"
            )


def _member(one: Found, name: str) -> str:
    return f"{layout.RESULTS}{one.path}/{name}"


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=_DATE)
    info.external_attr = 0o100644 << 16
    info.create_system = 3
    return info

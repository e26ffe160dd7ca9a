"""Manifests: a result is finished when its manifest exists. Written last, by rename."""

from __future__ import annotations

import csv
import hashlib
import importlib.metadata
import io
import json
import platform
import shlex
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from freqmaps.core import files, jsons
from freqmaps.core.components import PACKAGE
from freqmaps.core.errors import StoreError
from freqmaps.core.processor import processor
from freqmaps.core.version import __version__
from freqmaps.provenance import keys

DECIDES_NUMBERS = False

NAME = "manifest.json"
_LIBRARIES = ("torch", "torchvision", "foolbox", "numpy", "scipy", "zarr", "xarray", "numba", "scikit-dimension",
              "scikit-learn", "pandas", "snakemake")  # fmt: skip
#: A manifest's SHA-256 are compared before reading up to this size of a result: a fraction of a second.
_DIGEST_BYTES = 1 << 28
_NOT_CONTENT = {NAME, ".lock", "log.txt", "benchmark.tsv"}


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, as hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@cache
def origin() -> dict[str, Any]:
    """Return package version, git commit, and whether the working tree had uncommitted changes."""
    root = PACKAGE.resolve().parent

    def git(*words: str) -> str | None:
        try:
            # Without locks: a job that is killed in the middle must not leave the user's clone locked.
            line = ["git", "--no-optional-locks", "-C", str(root), *words]
            done = subprocess.run(line, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        return done.stdout.strip()

    commit = git("rev-parse", "HEAD")
    dirty = bool(git("status", "--porcelain", "--untracked-files=no")) if commit else None
    return {"freqmaps": __version__, "commit": commit or "unknown", "dirty": bool(dirty)}


@cache
def libraries() -> dict[str, str]:
    """Return the versions of the libraries that stages use."""
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def write(
    path: Path,
    spec: Mapping[str, Any],
    headline: Mapping[str, Any],
    seconds: Mapping[str, Any],
    warnings: Sequence[str] = (),
) -> None:
    """Write the manifest of a finished result: spec, digests and sizes of its files, provenance, headline figures.

    It is strict JSON: a headline figure that is missing, NaN or infinite is ``null``. ``warnings`` are sentences on
    what makes the result doubtful, its own and those of its inputs; without any, the manifest has no such field.
    """
    # Where there are no locks, another maker of the same result may be writing beside this one.
    names = (p for p in path.parent.iterdir() if p.name not in _NOT_CONTENT and not files.is_half_written(p.name))
    content = sorted(p for p in names if p.is_file())
    manifest = {
        "stage": spec["stage"],
        "key": path.parent.name,
        "headline": dict(headline),
        "files": {p.name: {"bytes": p.stat().st_size, "sha256": sha256(p)} for p in content},
        "provenance": {
            **origin(),
            **seconds,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "processor": processor(),
            "date": now(),
            "libraries": libraries(),
        },
        "spec": dict(spec),
    }
    if warnings:
        manifest["warnings"] = list(warnings)
    files.write_text(path, jsons.text(manifest, indent=1) + "\n")


def now() -> str:
    """Return date and time in UTC, as in ``2025-01-31T09:30:00+00:00``."""
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat(timespec="seconds")


def csv_text(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows of equal columns as CSV; None and NaN become empty cells. Floats keep every digit."""
    text = io.StringIO()
    writer = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(text, list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow({k: "" if v is None or v != v else v for k, v in row.items()})
    return text.getvalue()


def read(path: Path) -> dict[str, Any]:
    """Read a manifest (given its path or its folder).

    Raises
    ------
    StoreError
        There is none, or it is not whole JSON.
    """
    path = path / NAME if path.is_dir() else path
    try:
        content: dict[str, Any] = dict(json.loads(path.read_text(encoding="utf-8")))
        return content
    except FileNotFoundError as error:
        raise StoreError(f"{path}: no manifest, so this result is not finished; run its target") from error
    except (ValueError, TypeError) as error:  # no text, no JSON, or JSON but no mapping
        raise StoreError(f"{path}: not a whole manifest ({error}); delete the file and run its target") from error


def matches(path: Path, spec: Mapping[str, Any]) -> bool:
    """Return whether a manifest exists for this spec and its files have the recorded sizes."""
    try:
        manifest = read(path)
    except StoreError:
        return False
    same = json.dumps(manifest.get("spec"), sort_keys=True) == json.dumps(spec, sort_keys=True)
    return same and not problems(path.parent, manifest, digests=False)


def problems(folder: Path, manifest: Mapping[str, Any], *, digests: bool = True) -> list[str]:
    """Compare a result's files with its manifest: one sentence for each that is missing, truncated or changed."""
    sentences = []
    for name, recorded in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            sentences.append(f"{path}: missing")
        elif path.stat().st_size != recorded["bytes"]:
            sentences.append(f"{path}: {path.stat().st_size} bytes, {recorded['bytes']} recorded")
        elif digests and sha256(path) != recorded["sha256"]:
            sentences.append(f"{path}: content differs from its recorded SHA-256")
    return sentences


def check(folder: Path) -> dict[str, Any]:
    """Check that the files of a result agree with its manifest, before they are read; return the manifest.

    Sizes are compared for all files, SHA-256 up to 256 MB: above that, each chunk that is read has a checksum.

    Raises
    ------
    StoreError
        No whole manifest, one of another result, or a file that is missing, truncated or changed.
    """
    manifest = read(folder)
    if {"key", "spec", "files"} - manifest.keys() or {manifest["key"], keys.key(manifest["spec"])} != {folder.name}:
        raise StoreError(
            f"{folder / NAME}: not the manifest of this result (edited, or of another one); {_remedy(folder)}"
        )
    size = sum(recorded["bytes"] for recorded in manifest["files"].values())
    wrong = problems(folder, manifest, digests=size <= _DIGEST_BYTES)
    if wrong:
        raise StoreError(f"{wrong[0]}; {_remedy(folder)}")
    return manifest


def withdraw_unfit(manifests: Iterable[Path]) -> list[Path]:
    """Delete manifests that do not fit the files beside them, so that these are made again; return which.

    Where a job that is told to repeat makes some of its results anew and then fails, Snakemake puts back the manifests
    of all of them as they were before.
    """
    unfit = []
    for path in filter(Path.exists, manifests):
        try:
            check(path.parent)
        except StoreError:
            path.unlink(missing_ok=True)
            unfit.append(path)
    return unfit


def _remedy(folder: Path) -> str:
    return f"delete its folder (rm -r {shlex.quote(str(folder))}) and run the same target again"

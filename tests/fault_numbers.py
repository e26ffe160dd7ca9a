"""What a study has made, to the last bit, without what may differ between two runs of it: times, logs, commits."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import zarr
from zarr.storage import ZipStore

from freqmaps.provenance import manifest
from freqmaps.stages.places import is_key

#: What says when, where and how long, and no number of the study's.
NOT_NUMBERS = {"log.txt", ".lock", "benchmark.tsv", ".output"}
#: Pages show dates, seconds and commits beside the numbers, which the other files hold.
_PAGES = {"report.html", "report.md", "atlas.html", "catalog.html", "catalog.csv"}
_ORIGIN = ("freqmaps", "commit", "dirty")


def numbers(folder: Path) -> dict[str, object]:
    """Return the content of each file of each result below a folder, by name; plain names hold copies."""
    files = (p for p in folder.rglob("*") if p.is_file() and any(is_key(part) for part in p.parts))
    kept = [p for p in files if p.name not in NOT_NUMBERS]
    return {str(p.relative_to(folder.parent)): content(p) for p in sorted(kept)}


def content(path: Path) -> object:
    """Return what a file says, of which two runs of one study agree."""
    if path.name in _PAGES:
        return path.stat().st_size > 500
    if path.name == "manifest.json":
        found = manifest.read(path)
        # How many steps this attempt trained follows from where an earlier one was killed.
        headline = {name: value for name, value in found["headline"].items() if name != "trained_steps"}
        return {"spec": found["spec"], "headline": headline, "files": sorted(found["files"])}
    if path.suffix == ".json" and "_items" in path.parts:
        return {k: v for k, v in json.loads(path.read_text()).items() if k not in ("provenance", "origin")}
    if path.name == "store.zarr.zip":
        return _arrays(path)
    if path.name == "model.json":
        return {k: v for k, v in json.loads(path.read_text()).items() if k not in _ORIGIN}
    if path.suffix == ".csv":
        return [
            {k: v for k, v in row.items() if "seconds" not in k}
            for row in csv.DictReader(io.StringIO(path.read_text()))
        ]
    return path.read_bytes()


def _arrays(path: Path) -> dict[str, object]:
    """Return a store's arrays to the last bit, and its attributes without version and commit."""
    group = zarr.open_group(ZipStore(path, mode="r"), mode="r")
    attributes = {k: v for k, v in group.attrs.items() if k not in _ORIGIN}
    return {"attributes": attributes} | {name: _bits(np.asarray(array[...])) for name, array in group.arrays()}


def _bits(array: np.ndarray) -> tuple[object, ...]:
    return (array.shape, str(array.dtype), array.tobytes() if array.dtype.kind in "fiub" else array.tolist())


def same(one: dict[str, object], other: dict[str, object]) -> None:
    """Check that two runs made the same files with the same numbers, bit for bit, and left nothing else."""
    lost, added = sorted(one.keys() - other.keys()), sorted(other.keys() - one.keys())
    assert not (lost or added), f"lost: {lost}, added: {added}"
    changed = [name for name in one if one[name] != other[name]]
    assert not changed, f"changed: {changed}"

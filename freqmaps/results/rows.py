"""The catalog of a results root as rows: one for each finished result, whoever made it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from freqmaps.results.scan import Found, inputs
from freqmaps.stages import places

DECIDES_NUMBERS = False

#: Columns and what they hold.
COLUMNS = {
    "stage": "stage that made it",
    **{name: f"name of its {name} in its path" for name in places.all_fields()},
    "regime": "kind of training regime of its network; 'given' for a checkpoint that a user brought",
    "accuracy": "test accuracy of its network (0..1); none of a snapshot",
    "n": "samples in it",
    "value": "headline value, where it is one number",
    "parameters": "what its spec sets, as JSON",
    "bytes": "size of its folder",
    "date": "when it was finished (UTC)",
    "commit": "commit that made it",
    "dirty": "whether there were uncommitted changes",
    "device": "where it ran",
    "seconds": "how long it took",
    "sha256": "SHA-256 of its main file",
    "file": "its main file",
    "key": "its key",
    "folder": "its folder below the root",
    "complete": "whether manifest and files stand",
    "missing_inputs": "how many of its inputs are not complete under this root",
}


def rows(found: Sequence[Found]) -> list[dict[str, Any]]:
    """Return the catalog's rows, in order of path; every row has all of :data:`COLUMNS`, None where it has no value.

    Parameters
    ----------
    found
        What :func:`freqmaps.results.scan` returned.
    """
    by_key = {one.key: one for one in found if one.manifest is not None}
    there = {one.key for one in found if one.complete}
    return [_row(one, by_key, there) for one in found]


def _row(one: Found, by_key: Mapping[str, Found], there: set[str]) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {"key": one.key, "folder": one.path, "bytes": sum(one.sizes.values()), "complete": one.complete}
    parsed = places.parse(one.path)
    if parsed is not None:
        row["stage"] = parsed[0]
        row |= {name: value for name, value in parsed[1].items() if name != "key"}
    if one.manifest is None:
        return row
    made, headline = one.manifest["provenance"], one.manifest["headline"]
    file = main_file(one.manifest)
    row |= {
        "stage": one.manifest["stage"],
        "parameters": json.dumps(one.manifest["spec"].get("parameters", {}), sort_keys=True),
        "n": _count(headline),
        "value": headline.get("value"),
        "file": file,
        "sha256": one.manifest["files"].get(file, {}).get("sha256"),
        "seconds": made.get("wall_s"),
        "missing_inputs": sum(key not in there for key in inputs(one.manifest["spec"])),
    } | {name: made.get(name) for name in ("date", "commit", "dirty", "device")}
    return row | _network(one, by_key)


def main_file(manifest: Mapping[str, Any]) -> str | None:
    """Return the file that a result is about: its store, its weights, or the table named like its stage.

    >>> main_file({"stage": "correlation", "files": {"correlation.csv": {"bytes": 9}, "per_sample.csv": {"bytes": 99}}})
    'correlation.csv'
    """
    files: Mapping[str, Mapping[str, Any]] = manifest["files"]
    named = [f"{stem}.{end}" for stem, end in
             (("store", "zarr.zip"), ("model", "safetensors"), (manifest["stage"], "csv"))]  # fmt: skip
    return next((f for f in named if f in files), max(files, key=lambda f: (files[f]["bytes"], f), default=None))


def _count(headline: Mapping[str, Any]) -> int | None:
    n = headline.get("n", headline.get("n_train"))
    return sum(n.values()) if isinstance(n, dict) else n


def _network(one: Found, by_key: Mapping[str, Found]) -> dict[str, Any]:
    """Return regime and accuracy of the network that a result was made with, found by its inputs' keys."""
    seen, waiting = set(), [one.key]
    while waiting:
        key = waiting.pop(0)
        found = by_key.get(key)
        if key in seen or found is None or found.manifest is None:
            continue
        seen.add(key)
        spec, headline = found.manifest["spec"], found.manifest["headline"]
        if found.manifest["stage"] in ("training", "snapshots"):
            regime = spec.get("parameters", {}).get("regime") or {}
            return {"regime": regime.get("kind", "given"), "accuracy": headline.get("test_accuracy")}
        waiting += inputs(spec)
    return {}


def select(listed: Iterable[Mapping[str, Any]], **wanted: str) -> list[dict[str, Any]]:
    """Return the rows whose columns have the given values, compared as text."""
    return [dict(row) for row in listed if all(str(row.get(k)) == str(v) for k, v in wanted.items())]

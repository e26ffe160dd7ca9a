"""The catalog of a results root as rows: one for each finished result, whoever made it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from freqmaps.results.scan import KeyedFolder, inputs
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


def rows(results: Sequence[KeyedFolder]) -> list[dict[str, Any]]:
    """Return the catalog's rows, in order of path; every row has all of :data:`COLUMNS`, None where it has no value.

    Parameters
    ----------
    results
        What :func:`freqmaps.results.scan` returned.
    """
    by_key = {result.key: result for result in results if result.manifest is not None}
    complete = {result.key for result in results if result.complete}
    return [_row(result, by_key, complete) for result in results]


def _row(result: KeyedFolder, by_key: Mapping[str, KeyedFolder], complete: set[str]) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {"key": result.key, "folder": result.path, "bytes": sum(result.sizes.values()), "complete": result.complete}
    parsed = places.parse(result.path)
    if parsed is not None:
        row["stage"] = parsed[0]
        row |= {name: value for name, value in parsed[1].items() if name != "key"}
    if result.manifest is None:
        return row
    provenance, headline = result.manifest["provenance"], result.manifest["headline"]
    file = main_file(result.manifest)
    row |= {
        "stage": result.manifest["stage"],
        "parameters": json.dumps(result.manifest["spec"].get("parameters", {}), sort_keys=True),
        "n": _count(headline),
        "value": headline.get("value"),
        "file": file,
        "sha256": result.manifest["files"].get(file, {}).get("sha256"),
        "seconds": provenance.get("wall_s"),
        "missing_inputs": sum(key not in complete for key in inputs(result.manifest["spec"])),
    } | {name: provenance.get(name) for name in ("date", "commit", "dirty", "device")}
    return row | _network(result, by_key)


def main_file(manifest: Mapping[str, Any]) -> str | None:
    """Return the main file of a result: its store, its weights, or the table named like its stage.

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


def _network(result: KeyedFolder, by_key: Mapping[str, KeyedFolder]) -> dict[str, Any]:
    """Return regime and accuracy of the network that a result was made with, found by its inputs' keys."""
    seen, waiting = set(), [result.key]
    while waiting:
        key = waiting.pop(0)
        source = by_key.get(key)
        if key in seen or source is None or source.manifest is None:
            continue
        seen.add(key)
        spec, headline = source.manifest["spec"], source.manifest["headline"]
        if source.manifest["stage"] in ("training", "snapshots"):
            regime = spec.get("parameters", {}).get("regime") or {}
            return {"regime": regime.get("kind", "given"), "accuracy": headline.get("test_accuracy")}
        waiting += inputs(spec)
    return {}


def select(listed: Iterable[Mapping[str, Any]], **wanted: str) -> list[dict[str, Any]]:
    """Return the rows whose columns have the given values, compared as text."""
    return [dict(row) for row in listed if all(str(row.get(k)) == str(v) for k, v in wanted.items())]

"""Check everything under a results root: one sentence per problem."""

from __future__ import annotations

import collections
import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from freqmaps.core.errors import FreqmapsError
from freqmaps.core.files import is_half_written
from freqmaps.provenance import keys, manifest
from freqmaps.provenance.unfinished import FOLDER
from freqmaps.results.scan import BESIDE, KeyedFolder, inputs, scan, snapshots, walk
from freqmaps.stages import ARRAYS, places

DECIDES_NUMBERS = False

_PROVENANCE = ("freqmaps", "commit", "dirty", "date", "python", "device", "wall_s", "libraries")
_SPEC = ("stage", "names", "parameters", "inputs", "code", "libraries")


@dataclass
class Verifier:
    """A check of a results root: what to check, and the counts after :meth:`problems` has finished.

    Attributes
    ----------
    root
        The results root.
    content
        Whether to read every file (checksums, contracts, values) or only to compare names and sizes.
    need_inputs
        Whether an input that is not under the root is a problem, or only counted; snapshots of trainings are only
        counted.
    counts
        ``results``, ``unfinished``, ``uncommitted`` (made with uncommitted changes), ``missing inputs``, ``leftovers``
        (files of killed runs), ``missing snapshots``, ``bytes``.
    """

    root: Path
    content: bool = True
    need_inputs: bool = True
    counts: collections.Counter[str] = field(default_factory=collections.Counter)
    _snapshots: set[str] = field(default_factory=set)

    def problems(self) -> Iterator[str]:
        """Yield a sentence for each problem, result by result in order of path.

        Raises
        ------
        FreqmapsError
            There is no such root.
        """
        results = scan(self.root)
        complete = {result.key for result in results if result.complete}
        for result in results:
            if result.manifest is None and result.error is None:
                self.counts["unfinished"] += 1
                continue
            self.counts["results"] += 1
            if result.manifest is None:
                yield str(result.error)
                continue
            self.counts["bytes"] += sum(result.sizes.values())
            self.counts["uncommitted"] += bool(result.manifest["provenance"].get("dirty"))
            yield from _description(result)
            yield from self._missing(result, complete)
            yield from self._files(result)
        self.counts["missing snapshots"] = len(self._snapshots)
        yield from _strays(self.root, results)

    def _missing(self, result: KeyedFolder, complete: set[str]) -> Iterator[str]:
        left_out = snapshots(_spec(result)) - complete
        missing = [key for key in inputs(_spec(result)) if key not in complete | left_out]
        self.counts["missing inputs"] += len(missing)
        self._snapshots |= left_out
        if self.need_inputs:
            for key in missing:
                yield f"{result.folder}: its input {key} is not complete under this root"

    def _files(self, result: KeyedFolder) -> Iterator[str]:
        assert result.manifest is not None
        broken = list(manifest.problems(result.folder, result.manifest, digests=self.content))
        yield from broken
        for name in sorted(set(result.sizes) - set(result.manifest["files"]) - BESIDE):
            if is_half_written(name) or name.startswith(f"{FOLDER}/"):
                self.counts["leftovers"] += 1
                continue
            yield f"{result.folder / name}: a file that its manifest does not name"
        if self.content and not broken:
            yield from content_problems(result)

    def summary(self, problems: int) -> str:
        """Return the last line: what was looked at, and how many problems there are."""
        counted = [f"{self.counts['results']} results, {self.counts['bytes'] / 1e6:.1f} MB"]
        notes = {
            "unfinished": "unfinished", "uncommitted": "made with uncommitted changes",
            "missing inputs": "inputs not here", "leftovers": "files left by killed runs",
            "missing snapshots": "snapshots of trainings not here",
        }  # fmt: skip
        counted += [f"{self.counts[name]} {text}" for name, text in notes.items() if self.counts[name]]
        return f"{self.root}: {', '.join(counted)}: {problems} problem{'' if problems == 1 else 's'}"


def _spec(result: KeyedFolder) -> dict[str, Any]:
    assert result.manifest is not None
    spec: dict[str, Any] = result.manifest["spec"]
    return spec


def _description(result: KeyedFolder) -> Iterator[str]:
    """Yield problems of a manifest: key or place that do not follow from its spec, missing provenance."""
    assert result.manifest is not None
    spec, provenance = _spec(result), result.manifest["provenance"]
    derived = keys.key(spec)
    if {derived, result.manifest.get("key")} != {result.key}:
        yield f"{result.folder}: its spec has key {derived}, so the manifest was edited or the folder renamed"
    elif (
        spec.get("stage") != result.manifest["stage"]
        or places.place(spec["stage"], spec["names"], result.key) != result.path
    ):
        yield f"{result.folder}: does not lie where its stage and names say"
    for name in _SPEC:
        if name not in spec:
            yield f"{result.folder}: its spec has no '{name}'"
    for name in _PROVENANCE:
        if provenance.get(name) in (None, "", "unknown", {}):
            yield f"{result.folder}: its provenance has no '{name}'"
    if "seed" in spec and not isinstance(spec["seed"], int):
        yield f"{result.folder}: its seed {spec['seed']!r} is no integer"
    recorded = {name: str(v).split("+")[0] for name, v in (provenance.get("libraries") or {}).items()}
    for name, version in spec.get("libraries", {}).items():
        if recorded.get(name, version) != version:
            yield f"{result.folder}: made with {name} {recorded[name]}, but its spec says {version}"


def content_problems(result: KeyedFolder) -> Iterator[str]:
    """Yield problems of the files of a result: stores that break their contract, weights, tables."""
    from freqmaps.stores import contracts, open_store
    from freqmaps.stores.by_stage import STORE

    assert result.manifest is not None
    try:
        for name in result.manifest["files"]:
            if name == STORE:
                yield from _store(result)
            elif name == ARRAYS:
                with open_store(result.folder / name, contracts.ARRAYS, values=True):
                    pass  # opening reads every value and compares it with the contract
            elif name.endswith(".safetensors"):
                from freqmaps.stores import checkpoint

                description, _ = checkpoint.load(result.folder)
                yield from _says_the_same(result, name, description)
            elif name.endswith(".csv"):
                yield from _table(result, name)
    except FreqmapsError as error:
        yield str(error)


def _store(result: KeyedFolder) -> Iterator[str]:
    from freqmaps import stores
    from freqmaps.stores.by_stage import STORE, contract_of

    with stores.open_store(result.folder / STORE, contract_of(_spec(result)["stage"]), values=True) as store:
        yield from _says_the_same(result, STORE, store.attrs)


def _says_the_same(result: KeyedFolder, name: str, attributes: Mapping[str, Any]) -> Iterator[str]:
    """Yield a problem if the spec or commit in a store or checkpoint differs from that of the manifest."""
    assert result.manifest is not None
    try:
        spec = json.loads(attributes.get("spec", "null"))
    except (TypeError, ValueError):
        spec = None
    if spec is None:
        yield f"{result.folder / name}: carries no spec"
    elif keys.canonical(spec) != keys.canonical(_spec(result)):
        yield f"{result.folder / name}: carries another spec than the manifest beside it"
    elif attributes.get("commit") != result.manifest["provenance"].get("commit"):
        yield f"{result.folder / name}: carries another commit than the manifest beside it"


def _table(result: KeyedFolder, name: str) -> Iterator[str]:
    """Yield a problem if rows are not as wide as the header, or a one-row table differs from the headline."""
    assert result.manifest is not None
    path = result.folder / name
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            lines = list(csv.reader(handle))
    except (UnicodeDecodeError, csv.Error) as error:
        yield f"{path}: not a table ({error})"
        return
    if any(len(line) != len(lines[0]) for line in lines):
        yield f"{path}: its rows are not as wide as its header"
    elif name == f"{result.manifest['stage']}.csv" and len(lines) == 2:
        yield from _headline(path, dict(zip(*lines, strict=True)), result.manifest["headline"])


def _headline(path: Path, row: Mapping[str, str], headline: Mapping[str, Any]) -> Iterator[str]:
    for column, text in row.items():
        recorded = headline.get(column, text)
        if isinstance(recorded, str | bool | list | dict) or _number(text) == _number(recorded):
            continue
        yield f"{path}: {column} is {text or 'empty'}, but the manifest beside it says {recorded}"


def _number(value: Any) -> float | str | None:
    """Return a cell or a headline figure to compare: None for what is missing, in whichever way it is written."""
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    return number if isfinite(number) else None


def _strays(root: Path, results: Sequence[KeyedFolder]) -> Iterator[str]:
    """Yield a problem for each file between the keyed folders of a dataset; other files in the root are ignored."""
    ours = {result.path.split("/")[0] for result in results}
    for path, keyed in walk(root):
        if not keyed and path.split("/")[0] in ours:
            yield f"{root / path}: a stray file; results lie in folders named by their key"

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
from freqmaps.results.scan import BESIDE, Found, inputs, scan, snapshots, walk
from freqmaps.stages import ARRAYS, places

DECIDES_NUMBERS = False

_PROVENANCE = ("freqmaps", "commit", "dirty", "date", "python", "device", "wall_s", "libraries")
_SPEC = ("stage", "names", "parameters", "inputs", "code", "libraries")


@dataclass
class Verifier:
    """What :meth:`problems` looks at, and what it has counted when it is through.

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
        found = scan(self.root)
        complete = {one.key for one in found if one.complete}
        for one in found:
            if one.manifest is None and one.error is None:
                self.counts["unfinished"] += 1
                continue
            self.counts["results"] += 1
            if one.manifest is None:
                yield str(one.error)
                continue
            self.counts["bytes"] += sum(one.sizes.values())
            self.counts["uncommitted"] += bool(one.manifest["provenance"].get("dirty"))
            yield from _description(one)
            yield from self._missing(one, complete)
            yield from self._files(one)
        self.counts["missing snapshots"] = len(self._snapshots)
        yield from _strays(self.root, found)

    def _missing(self, one: Found, complete: set[str]) -> Iterator[str]:
        left_out = snapshots(_spec(one)) - complete
        missing = [key for key in inputs(_spec(one)) if key not in complete | left_out]
        self.counts["missing inputs"] += len(missing)
        self._snapshots |= left_out
        if self.need_inputs:
            for key in missing:
                yield f"{one.folder}: its input {key} is not complete under this root"

    def _files(self, one: Found) -> Iterator[str]:
        assert one.manifest is not None
        broken = list(manifest.problems(one.folder, one.manifest, digests=self.content))
        yield from broken
        for name in sorted(set(one.sizes) - set(one.manifest["files"]) - BESIDE):
            if is_half_written(name) or name.startswith(f"{FOLDER}/"):
                self.counts["leftovers"] += 1
                continue
            yield f"{one.folder / name}: a file that its manifest does not name"
        if self.content and not broken:
            yield from content_problems(one)

    def summary(self, problems: int) -> str:
        """Return the last line: what was looked at, and how many problems there are."""
        told = [f"{self.counts['results']} results, {self.counts['bytes'] / 1e6:.1f} MB"]
        notes = {
            "unfinished": "unfinished", "uncommitted": "made with uncommitted changes",
            "missing inputs": "inputs not here", "leftovers": "files left by killed runs",
            "missing snapshots": "snapshots of trainings not here",
        }  # fmt: skip
        told += [f"{self.counts[name]} {text}" for name, text in notes.items() if self.counts[name]]
        return f"{self.root}: {', '.join(told)}: {problems} problem{'' if problems == 1 else 's'}"


def _spec(one: Found) -> dict[str, Any]:
    assert one.manifest is not None
    spec: dict[str, Any] = one.manifest["spec"]
    return spec


def _description(one: Found) -> Iterator[str]:
    """Look at what a manifest says: key and place follow from its spec, provenance is complete."""
    assert one.manifest is not None
    spec, made = _spec(one), one.manifest["provenance"]
    derived = keys.key(spec)
    if {derived, one.manifest.get("key")} != {one.key}:
        yield f"{one.folder}: its spec has key {derived}, so the manifest was edited or the folder renamed"
    elif spec.get("stage") != one.manifest["stage"] or places.place(spec["stage"], spec["names"], one.key) != one.path:
        yield f"{one.folder}: does not lie where its stage and names say"
    for name in _SPEC:
        if name not in spec:
            yield f"{one.folder}: its spec has no '{name}'"
    for name in _PROVENANCE:
        if made.get(name) in (None, "", "unknown", {}):
            yield f"{one.folder}: its provenance has no '{name}'"
    if "seed" in spec and not isinstance(spec["seed"], int):
        yield f"{one.folder}: its seed {spec['seed']!r} is no integer"
    recorded = {name: str(v).split("+")[0] for name, v in (made.get("libraries") or {}).items()}
    for name, version in spec.get("libraries", {}).items():
        if recorded.get(name, version) != version:
            yield f"{one.folder}: made with {name} {recorded[name]}, but its spec says {version}"


def content_problems(one: Found) -> Iterator[str]:
    """Open what a result holds: stores against their contract, weights, tables."""
    from freqmaps.stores import contracts, open_store
    from freqmaps.stores.by_stage import STORE

    assert one.manifest is not None
    try:
        for name in one.manifest["files"]:
            if name == STORE:
                yield from _store(one)
            elif name == ARRAYS:
                with open_store(one.folder / name, contracts.ARRAYS, values=True):
                    pass  # opening reads every value and compares it with the contract
            elif name.endswith(".safetensors"):
                from freqmaps.stores import checkpoint

                description, _ = checkpoint.load(one.folder)
                yield from _says_the_same(one, name, description)
            elif name.endswith(".csv"):
                yield from _table(one, name)
    except FreqmapsError as error:
        yield str(error)


def _store(one: Found) -> Iterator[str]:
    from freqmaps import stores
    from freqmaps.stores.by_stage import STORE, contract_of

    with stores.open_store(one.folder / STORE, contract_of(_spec(one)["stage"]), values=True) as store:
        yield from _says_the_same(one, STORE, store.attrs)


def _says_the_same(one: Found, name: str, attributes: Mapping[str, Any]) -> Iterator[str]:
    """A store and a checkpoint carry spec and commit themselves."""
    assert one.manifest is not None
    try:
        spec = json.loads(attributes.get("spec", "null"))
    except (TypeError, ValueError):
        spec = None
    if spec is None:
        yield f"{one.folder / name}: carries no spec"
    elif keys.canonical(spec) != keys.canonical(_spec(one)):
        yield f"{one.folder / name}: carries another spec than the manifest beside it"
    elif attributes.get("commit") != one.manifest["provenance"].get("commit"):
        yield f"{one.folder / name}: carries another commit than the manifest beside it"


def _table(one: Found, name: str) -> Iterator[str]:
    """A table has a header and rows as wide as it; the headline of a one-row table is that row."""
    assert one.manifest is not None
    path = one.folder / name
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            lines = list(csv.reader(handle))
    except (UnicodeDecodeError, csv.Error) as error:
        yield f"{path}: not a table ({error})"
        return
    if any(len(line) != len(lines[0]) for line in lines):
        yield f"{path}: its rows are not as wide as its header"
    elif name == f"{one.manifest['stage']}.csv" and len(lines) == 2:
        yield from _headline(path, dict(zip(*lines, strict=True)), one.manifest["headline"])


def _headline(path: Path, row: Mapping[str, str], headline: Mapping[str, Any]) -> Iterator[str]:
    for column, text in row.items():
        told = headline.get(column, text)
        if isinstance(told, str | bool | list | dict) or _number(text) == _number(told):
            continue
        yield f"{path}: {column} is {text or 'empty'}, but the manifest beside it says {told}"


def _number(value: Any) -> float | str | None:
    """Return a cell or a headline figure to compare: None for what is missing, in whichever way it is written."""
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    return number if isfinite(number) else None


def _strays(root: Path, found: Sequence[Found]) -> Iterator[str]:
    """Files between the keyed folders of a dataset; what else lies in the root is not the results'."""
    ours = {one.path.split("/")[0] for one in found}
    for path, keyed in walk(root):
        if not keyed and path.split("/")[0] in ours:
            yield f"{root / path}: a stray file; results lie in folders named by their key"

"""Explain why a result has to be computed: which field of which spec has changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from freqmaps.core.errors import ConfigError, StoreError, nearest
from freqmaps.provenance import manifest
from freqmaps.stages import PUBLISHED
from freqmaps.study import shown as shown_files
from freqmaps.study.build import Study
from freqmaps.study.graph import Node

DECIDES_NUMBERS = False


def explain(study: Study, target: str, shown: Path = Path("results")) -> list[str]:
    """Return which results of an item, a paper, ``report``, ``atlas``, ``all`` or a path must be made, and why.

    Returns
    -------
    list of str
        A line for each cause, nearest to the data first; one line that says so if nothing is due.

    Raises
    ------
    ConfigError
        No such target in the current config.
    """
    nodes, names = _resolve(study, target)
    index = shown_files.read_index(shown)
    lines: list[str] = []
    seen: set[str] = set()
    for node in _in_order(nodes):
        if node.path not in seen and not _finished(study.root, node):
            lines.append(f"{_called(node)}: {_cause(study.root, node)}")
        seen.add(node.path)
    for name in names:
        path = study.published[name].path
        if _finished(study.root, study.published[name]) and not shown_files.is_current(shown, name, path, index):
            lines.append(f"{name}: made, but not laid in {shown}/")
    return lines or [f"{target}: up to date"]


def _called(node: Node) -> str:
    """Return what a line calls a result: a table, a figure or a page by its name, others by their path."""
    if node.stage == "items":
        return node.names["item"]
    return node.stage if node.stage in PUBLISHED else node.path


def _resolve(study: Study, target: str) -> tuple[list[Node], list[str]]:
    """Return the results that a target asks for, and the names of those that are laid at plain names."""
    targets = study.targets()
    if target in targets:
        names = targets[target]
        return [study.published[name] for name in names], names
    wanted = target.removeprefix(f"{study.root}/").removesuffix(f"/{manifest.NAME}").rstrip("/")
    nodes = [n for p, n in study.graph.nodes.items() if p == wanted or p.startswith(f"{wanted}/")]
    if not nodes:
        raise ConfigError(
            f"'{target}' is no target of this config; {nearest(target, targets)}, or a path below {study.root}"
        )
    return nodes, []


def _in_order(nodes: list[Node]) -> Iterator[Node]:
    """Yield nodes and all they rest on, inputs first."""
    for node in nodes:
        yield from _in_order(list(node.inputs))
        yield node


def _finished(root: Path, node: Node) -> bool:
    return (root / node.path / manifest.NAME).exists()


def _cause(root: Path, node: Node) -> str:
    """Compare with the newest finished result at the same readable path."""
    beside = [p for p in (root / node.path).parent.glob(f"*/{manifest.NAME}") if p.parent.name != node.key]
    if not beside:
        return "never made"
    newest = max(beside, key=lambda p: p.stat().st_mtime)
    try:
        before = manifest.read(newest)["spec"]
    except StoreError as error:
        return str(error)
    changes = list(differences(before, node.spec))
    own = [c for c in changes if not c.startswith(("inputs.", "reads:"))]
    if node.stage in PUBLISHED:
        own = [_SAID.get(c.split(":")[0], c) for c in own]
        others = set(_keys(node.spec)) - set(_keys(before))
        own += [f"{len(others)} of the {len(node.inputs)} results it reads are others now"] if others else []
    return "; ".join(own or changes or ["made under another key"]) + f" (was {newest.parent.name})"


#: How a change of what a table, a figure or a page is made with is told.
_SAID = {"code": "its code changed", "templates": "its templates changed", "data": "its published values changed"}


def _keys(spec: Mapping[str, Any]) -> Iterator[str]:
    for keys in spec.get("inputs", {}).values():
        yield from [keys] if isinstance(keys, str) else keys


def differences(before: Mapping[str, Any], now: Mapping[str, Any], place: str = "") -> Iterator[str]:
    """Yield ``parameters.settings.penalty: 0.5 -> 0.3`` for every field that differs between two specs."""
    for name in sorted(before.keys() | now.keys()):
        here = f"{place}.{name}" if place else name
        if here == "names":
            continue
        old, new = before.get(name), now.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from differences(old, new, here)
        elif old != new:
            yield f"{here}: {json.dumps(old)} -> {json.dumps(new)}"

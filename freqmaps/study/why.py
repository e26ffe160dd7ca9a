"""Why something is due: which field of which spec changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from freqmaps.core.errors import ConfigError, StoreError, nearest
from freqmaps.provenance import manifest
from freqmaps.stamp import stamps
from freqmaps.study.build import Study
from freqmaps.study.graph import Node
from freqmaps.study.pages import Page, pages

DECIDES_NUMBERS = False


def explain(study: Study, target: str, shown: Path = Path("results")) -> list[str]:
    """Say for an item, a paper, ``report``, ``atlas``, ``all`` or a path below the results root what is due and why.

    Returns
    -------
    list of str
        A line for each cause, nearest to the data first; one line that says so if nothing is due.

    Raises
    ------
    ConfigError
        No such target in the current config.
    """
    made = pages(study)
    nodes, items = _resolve(study, target, made)
    lines: list[str] = []
    seen: set[str] = set()
    for node in _in_order(nodes):
        if node.path not in seen and not _finished(study.root, node):
            lines.append(f"{node.path}: {_cause(study.root, node)}")
        seen.add(node.path)
    for name in items:
        item = study.items[name]
        if not (shown / ".current" / f"{name}.{item.key}").exists():
            lines.append(f"{name}: {_item_cause(study, name, shown)}")
        else:
            lines += _missing(name, item.files.values(), shown)
    for page in made:
        if target in (page.name, "all"):
            lines += _page_causes(page, shown)
    return lines or [f"{target}: up to date"]


def _missing(name: str, files: Iterable[str], shown: Path) -> list[str]:
    return [f"{name}: {file} is missing" for file in files if not (shown / file).exists()][:1]


def _page_causes(page: Page, shown: Path) -> list[str]:
    if (shown / page.stamp).exists():
        return _missing(page.name, [page.file], shown)
    older = stamps(shown / ".current", page.name)
    reason = "what it shows, its templates or its code changed" if older else "never made"
    return [f"{page.name}: {reason}"]


def _resolve(study: Study, target: str, made: Iterable[Page]) -> tuple[list[Node], list[str]]:
    if target in study.items:
        return list(study.items[target].inputs), [target]
    if target in ("all", "report"):
        return list(study.graph.nodes.values()), list(study.items)
    for page in made:
        if target == page.name:
            return list(page.inputs), []
    papers = {n.split("-")[0].lower() for n in study.items}
    if target in papers:
        names = [n for n in study.items if n.lower().startswith(f"{target}-")]
        return [node for n in names for node in study.items[n].inputs], names
    wanted = target.removeprefix(f"{study.root}/").removesuffix(f"/{manifest.NAME}").rstrip("/")
    found = [n for p, n in study.graph.nodes.items() if p == wanted or p.startswith(f"{wanted}/")]
    if not found:
        known = [*study.items, *papers, "all", *(page.name for page in made)]
        valid = f"{nearest(target, known)}, or a path below {study.root}"
        raise ConfigError(f"'{target}' is no target of this config; {valid}")
    return found, []


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
    own = [c for c in changes if not c.startswith("inputs.")]
    return "; ".join(own or changes or ["made under another key"]) + f" (was {newest.parent.name})"


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


def _item_cause(study: Study, name: str, shown: Path) -> str:
    older = stamps(shown / ".current", name)
    if not older:
        return "never made"
    try:
        before = json.loads(older[0].read_text(encoding="utf-8"))
    except json.JSONDecodeError:
        return "its stamp cannot be read"
    item = study.items[name]
    changes = list(differences({"parameters": before.get("parameters", {})}, {"parameters": dict(item.parameters)}))
    others = {n.path for n in item.inputs} - set(before.get("inputs", []))
    if others:
        changes.append(f"{len(others)} of the {len(item.inputs)} results it reads are others now")
    return "; ".join(changes) if changes else "the code or the published values that it is made with changed"

"""Tables and figures of a config: keyed results like all others, made from the results that they read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from freqmaps.core import components, yamls
from freqmaps.core.errors import ConfigError, nearest
from freqmaps.core.images import ADVERSARIAL, ESSENTIAL, NO_ATTACK
from freqmaps.core.limits import interval
from freqmaps.provenance import keys
from freqmaps.study import precheck
from freqmaps.study.graph import Graph, Node

DECIDES_NUMBERS = False


@dataclass(frozen=True, eq=False)
class Item:
    """A table or figure of the current config: its parameters, and its result in the graph."""

    name: str
    kind: str
    parameters: Mapping[str, Any]
    node: Node

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The results that it reads."""
        return self.node.inputs

    @property
    def key(self) -> str:
        """The key of its result."""
        return self.node.key

    @property
    def files(self) -> dict[str, str]:
        """By its name in the keyed folder: where each of its files is laid, below ``results/``."""
        return {file: f"{self.kind}s/{file}" for file in self.node.files}


#: What a table and a figure consist of, the file that tells of the others last.
ENDINGS = {"table": ("csv", "tex", "json"), "figure": ("svg", "png", "pdf", "json")}


def add_item(
    config: Mapping[str, Any], graph: Graph, items: Mapping[str, Item], entry: dict[str, Any], where: str
) -> Item:
    """Resolve one entry of ``items``.

    Raises
    ------
    ConfigError
        No such item, one listed twice, parameters that do not fit, or results that no run asks for.
    """
    name = entry.pop("item")
    if name in items:
        raise ConfigError(f"{where}: item '{name}' is listed twice")
    component = components.find("item", name, where)
    select = _selection(entry.pop("select", {}), f"{where} ({name}).select", graph)
    parameters = components.resolve("item", name, entry, where=f"{where} ({name})")
    precheck.component(graph.questions, component, parameters, f"{where} ({name})")
    for attack in _attacks(parameters):
        known = {a for run in config["runs"] for a in run["attacks"]}
        if attack not in known:
            raise ConfigError(
                f"{where} ({name}).attacks: no run has attack '{attack}'; {nearest(attack, known)}, or add it to a run"
            )
    nodes = _used([n for n in graph.nodes.values() if _wanted(n, component, parameters, select)])
    for stage in component.constants["NEEDS"]:
        if not any(n.stage == stage for n in nodes):
            bases = component.constants.get("BASES", ()) if stage in ("maps", "group_maps") else ()
            kind = f" and basis {' or '.join(bases)}" if bases else ""
            if stage == "evaluation":
                kind = f" and kind {' or '.join(component.constants['EVALUATIONS'])}"
            raise ConfigError(f"{where}: item '{name}' needs results of stage '{stage}'{kind}, which no run asks for")
    _check_evaluated(component, nodes, f"{where} ({name})")
    kind = component.constants["KIND"]
    by_stage: dict[str, Node | list[Node]] = {}
    for node in nodes:
        by_stage.setdefault(node.stage, []).append(node)  # type: ignore[union-attr]
    node = graph.add(
        "items", {"item": name}, {"item": name, "parameters": parameters}, by_stage, parts=[component],
        files=[f"{name}.{ending}" for ending in ENDINGS[kind]],
        # Its rows and captions tell the names of what it reads, so that paths count, not keys alone.
        further={
            "reads": hashlib.sha256("\n".join(sorted(n.path for n in nodes)).encode()).hexdigest()[:16],
            "data": [_entry(component.path.parent / file, name) for file in component.constants.get("DATA", ())],
        },
    )  # fmt: skip
    return Item(name, kind, parameters, node)


def _check_evaluated(component: components.Component, nodes: list[Node], where: str) -> None:
    """Check that some evaluation keeps what the item shows: ``EVALUATED_WITH``, intervals of its parameters."""
    evaluations = {n.names["evaluation"]: n.spec["parameters"]["evaluation"] for n in nodes if n.stage == "evaluation"}
    for parameter, limits in component.constants.get("EVALUATED_WITH", {}).items():
        values = {name: kept["parameters"].get(parameter) for name, kept in evaluations.items()}
        if not any(value in interval(limits) for value in values.values()):
            name, value = next(iter(values.items()))
            raise ConfigError(
                f"{where}: 'evaluations.{name}.{parameter}' is {value}, and the item needs it in {limits}"
            )


def _entry(path: Path, name: str) -> str:
    """Return the digest of an item's own entry in a file of published values: those of other items decide nothing."""
    return keys.digest(_values(path).get(name))


@cache
def _values(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yamls.read(path)
    return content


def _selection(select: Any, where: str, graph: Graph) -> dict[str, list[str]]:
    """Check an item's ``select``: names of results by kind of name, one or a list of each."""
    if not isinstance(select, Mapping):
        raise ConfigError(f"{where}: expected a mapping such as 'training: standard', found {select!r}")
    known: dict[str, set[str]] = {}
    for node in graph.nodes.values():
        for kind, name in node.names.items():
            known.setdefault(kind, set()).add(name)
    selection = {}
    for kind, value in select.items():
        if kind not in known:
            raise ConfigError(f"{where}: results have no '{kind}'; {nearest(str(kind), known)}")
        selection[kind] = [str(v) for v in (value if isinstance(value, list) else [value])]
        for name in selection[kind]:
            if name not in known[kind]:
                raise ConfigError(f"{where}.{kind}: no result of '{name}'; {nearest(name, known[kind])}")
    return selection


def _wanted(
    node: Node, component: components.Component, parameters: Mapping[str, Any], select: Mapping[str, list[str]]
) -> bool:
    """Whether an item may read a result: its stage, metric and kind of maps, and the names that the entry gives."""
    constants, spec = component.constants, node.spec["parameters"]
    if node.stage not in (*constants["NEEDS"], *constants.get("USES", ())):
        return False
    if "step" in node.names and not constants.get("SNAPSHOTS", False):
        return False  # what is made of snapshots is not what is made of finished networks
    if node.stage == "simulation":
        return spec["simulation"]["kind"] in constants["SIMULATIONS"]
    if node.stage == "correlation":
        matrices = node.inputs[0].spec["parameters"]
        if spec["metric"]["kind"] not in constants.get("METRICS", ()):
            return False
        if matrices["pairing"]["kind"] not in constants.get("PAIRINGS", ("matched",)):
            return False
    if node.stage == "maps" and node.names["images"] not in constants.get("MAPS_OF", (ESSENTIAL, ADVERSARIAL)):
        return False
    if node.stage in ("maps", "group_maps") and node.basis not in constants.get("BASES", (node.basis,)):
        return False
    if node.stage == "evaluation" and spec["evaluation"]["kind"] not in constants.get("EVALUATIONS", ()):
        return False
    clean = node.names.get("images") == ESSENTIAL  # what is made of clean images belongs to every attack
    if any(node.names.get(k, names[0]) not in names for k, names in select.items() if not (clean and k == "attack")):
        return False
    for name in ("dataset", "model", "training", "seed", "maps"):
        if parameters.get(name) is not None and node.names.get(name) not in (None, str(parameters[name])):
            return False
    attacks = _attacks(parameters)
    # Maps of clean images, and comparisons of two networks on them, belong to every attack.
    return not attacks or node.names.get("attack", NO_ATTACK) in (NO_ATTACK, *attacks)


def _used(nodes: list[Node]) -> list[Node]:
    """Leave out what lies upstream of a stage that the item reads, but of none of the results that it reads there.

    An item that reads correlations and attacks thus reads the attacks behind those correlations, and no others.
    """
    above = {node: _ancestors(node) for node in nodes}
    upstream = {other.stage for node in nodes for other in above[node]}
    used = {other for node in nodes if node.stage not in upstream for other in above[node]}
    return [node for node in nodes if node.stage not in upstream or node in used]


def _ancestors(node: Node) -> set[Node]:
    ancestors: set[Node] = set()
    for source in node.inputs:
        if source not in ancestors:
            ancestors |= {source} | _ancestors(source)
    return ancestors


def _attacks(parameters: Mapping[str, Any]) -> list[str]:
    """The attacks that an item names: as ``attacks`` or, if it shows one, as ``attack``."""
    attack = parameters.get("attack")
    return list(parameters.get("attacks") or []) + ([attack] if attack else [])

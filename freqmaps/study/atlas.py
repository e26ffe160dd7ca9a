"""Which results the atlas shows: one setting (dataset, model, training, seed, map setting) and its attacks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from freqmaps.core.errors import ConfigError, nearest
from freqmaps.core.images import ADVERSARIAL, ESSENTIAL, NO_ATTACK
from freqmaps.study.graph import Graph, Node

DECIDES_NUMBERS = False

SETTING = ("dataset", "model", "training", "seed", "maps")


@dataclass(frozen=True, eq=False)
class Atlas:
    """The atlas of the current config: what it shows, and the results that it reads."""

    parameters: Mapping[str, Any]
    inputs: tuple[Node, ...]


def resolve(study: str, entry: Mapping[str, Any], graph: Graph) -> Atlas | None:
    """Choose the study's first setting that fits the names given, and its attacks.

    Parameters
    ----------
    study
        The study's name.
    entry
        The config's ``atlas``.
    graph
        All results of the study.

    Returns
    -------
    Atlas or None
        None if ``samples`` is 0, or if the study has no maps and none are named.

    Raises
    ------
    ConfigError
        The study has no such setting, or no such attack in it.
    """
    selected = {name: str(entry[name]) for name in SETTING if entry[name] is not None}
    if entry["samples"] == 0:
        return None
    settings = _settings(graph)
    if not settings and not selected and not entry["attacks"]:
        return None
    names = _fitting(settings, selected)
    attacks = _attacks(entry["attacks"], [n for n in graph.nodes.values() if _at(n, names)])
    shown = [node for node in graph.nodes.values() if _shown(node, names, attacks)]
    # Of the attacks those that the maps are made from: others may have attacked another split.
    mapped = {source for node in shown if node.stage == "maps" for source in node.inputs}
    nodes = tuple(node for node in shown if node.stage != "attacks" or node in mapped)
    limits = {name: entry[name] for name in ("samples", "megabytes")}
    return Atlas({"study": study, "names": names, "attacks": attacks, **limits}, nodes)


def _settings(graph: Graph) -> list[dict[str, str]]:
    """Return the settings with essential maps over the Fourier plane, in the study's order."""
    maps = [n for n in graph.nodes.values() if n.stage == "maps" and "step" not in n.names]
    essential = [n for n in maps if n.names["images"] == ESSENTIAL and n.basis == "fourier"]
    return [dict(pairs) for pairs in dict.fromkeys(tuple((k, n.names[k]) for k in SETTING) for n in essential)]


def _fitting(settings: list[dict[str, str]], wanted: Mapping[str, str]) -> dict[str, str]:
    for name, value in wanted.items():
        known = dict.fromkeys(setting[name] for setting in settings)
        if value not in known:
            raise ConfigError(f"atlas.{name}: no run makes Fourier maps with {name} '{value}'; {nearest(value, known)}")
    for setting in settings:
        if all(setting[name] == value for name, value in wanted.items()):
            return setting
    shown = ", ".join(f"{name} '{value}'" for name, value in wanted.items()) or "attacks without maps"
    raise ConfigError(f"atlas: no run has {shown} together; name fewer of them, or add the run")


def _attacks(chosen: Iterable[str] | None, nodes: Sequence[Node]) -> list[str]:
    mapped = {node.names["attack"] for node in nodes if node.names.get("images") == ADVERSARIAL}
    attacked = dict.fromkeys(node.names["attack"] for node in nodes if node.stage == "attacks")
    known = [attack for attack in attacked if attack in mapped]
    if chosen is None:
        return known
    for attack in chosen:
        if attack not in known:
            raise ConfigError(f"atlas.attacks: this setting has no maps of attack '{attack}'; {nearest(attack, known)}")
    return list(chosen)


def _at(node: Node, names: Mapping[str, str]) -> bool:
    return "step" not in node.names and all(node.names.get(name, value) == value for name, value in names.items())


def _shown(node: Node, names: Mapping[str, str], attacks: Sequence[str]) -> bool:
    """Whether the atlas reads a result: of its setting, and of its attacks; of correlations only cosines of pairs."""
    if node.stage not in ("datasets", "training", "attacks", "maps", "correlation") or not _at(node, names):
        return False
    if node.stage == "correlation" and not _is_cosine(node):
        return False
    shown = node.names.get("images", ESSENTIAL) in (ESSENTIAL, ADVERSARIAL)
    return shown and node.names.get("attack", NO_ATTACK) in (NO_ATTACK, *attacks)


def _is_cosine(node: Node) -> bool:
    """Whether a correlation is the cosine of the two maps of each image."""
    pairing = node.inputs[0].spec["parameters"]["pairing"]["kind"]
    return bool(node.spec["parameters"]["metric"]["kind"] == "cosine" and pairing == "matched")

"""What comparisons and evaluations read: checked against what a run makes, before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from freqmaps.core import components
from freqmaps.core.errors import ConfigError, nearest
from freqmaps.core.images import ESSENTIAL, NO_ATTACK
from freqmaps.study.graph import Node

DECIDES_NUMBERS = False

#: Parameters of an evaluation that narrow what it reads by name, and the stages of which they do.
_NARROWING = {
    "attacks": ("attacks", "maps", "group_maps"),
    "maps": ("maps",),
    "group_maps": ("group_maps",),
}
#: Parameters of evaluations and pairings that name entries of a section, whatever a run makes.
_REFERRING = {"masks_of": "trainings", "defended_by": "attacks", "training": "trainings"}


def check_names(
    component: components.Component, parameters: Mapping[str, Any], run: Mapping[str, Any], where: str, place: str
) -> None:
    """Refuse names of attacks, maps and group maps that an evaluation is to read and its run does not make.

    Parameters
    ----------
    component, parameters
        The evaluation.
    run
        The entry of ``runs``.
    where, place
        The evaluation's and the run's place in the config, for messages.

    Raises
    ------
    ConfigError
        A name that the run does not have; with the nearest one.
    """
    for parameter, stages in _NARROWING.items():
        if set(stages) & set(component.constants["NEEDS"]):
            check_each(parameters.get(parameter), run[parameter], f"{where}.{parameter}", f"{place}.{parameter} has no")


def check_entries(
    component: components.Component, parameters: Mapping[str, Any], config: Mapping[str, Any], where: str
) -> None:
    """Refuse names of attacks, maps, group maps and trainings that the config does not have, where no run uses it yet.

    Parameters
    ----------
    component, parameters
        An evaluation or a pairing.
    config
        The checked config.
    where
        Its place in the config, for messages.

    Raises
    ------
    ConfigError
        A name without an entry; with the nearest one.
    """
    needs = set(component.constants.get("NEEDS", ()))
    sections = {name: name for name, stages in _NARROWING.items() if set(stages) & needs} | _REFERRING
    for parameter, section in sections.items():
        known = [*config.get(section, {}), *([ESSENTIAL] if parameter == "defended_by" else [])]
        check_each(parameters.get(parameter), known, f"{where}.{parameter}", f"the config's '{section}' has no")


def check_sources(maps: Iterable[Node], parameters: Mapping[str, Any], where: str) -> None:
    """Refuse names in ``defended_by`` from whose images no group maps are made."""
    known = [ESSENTIAL if node.names["attack"] == NO_ATTACK else node.names["attack"] for node in maps]
    what = f"group maps '{parameters.get('group_maps')}' are not made from"
    check_each(parameters.get("defended_by"), known, f"{where}.defended_by", what)


def check_each(wanted: Any, known: Iterable[str], where: str, what: str) -> None:
    """Refuse a name, or any of a list of them, that is not known."""
    names = list(known)
    for name in [wanted] if isinstance(wanted, str) else wanted if isinstance(wanted, list) else []:
        if isinstance(name, str) and name not in names:
            raise ConfigError(f"{where}: {what} '{name}'; {nearest(name, names)}")


def named_components(
    component: components.Component, parameters: Mapping[str, Any], where: str
) -> list[components.Component]:
    """Return the components that parameters of an evaluation name (``COMPONENTS``), all of a kind where they are None.

    Their code enters the key.
    """
    named = []
    for parameter, kind in component.constants.get("COMPONENTS", {}).items():
        chosen = components.names(kind) if parameters[parameter] is None else parameters[parameter]
        if not chosen or len(set(chosen)) < len(chosen):
            raise ConfigError(f"{where}.{parameter}: {chosen}; name at least one {kind}, each once")
        named += [components.find(kind, name, f"{where}.{parameter}") for name in chosen]
    return named


def check_groups(maps: Node | list[Node], groups: str | None, where: str) -> None:
    """Refuse group maps of all images where an evaluation reads one of each class."""
    for node in maps if isinstance(maps, list) and groups is not None else []:
        current = node.spec["parameters"]["settings"]["groups"]
        if current != groups:
            name = node.names["group_maps"]
            raise ConfigError(
                f"{where}.group_maps: it reads a map of each {groups}, and group_maps.{name} has 'groups: {current}'; "
                f"set it to {groups}, or name other group maps"
            )


def check_bases(maps: Node | list[Node], bases: tuple[str, ...] | None, where: str, reader: str) -> None:
    """Refuse maps of a basis that their reader cannot read."""
    if bases is None or not isinstance(maps, list):
        return
    for node in maps:
        if node.basis not in bases:
            what = f"{node.stage.replace('_', ' ')} '{node.names[node.stage]}'"
            raise ConfigError(
                f"{where}: {what} have basis '{node.basis}', and {reader} reads {' or '.join(bases)}; "
                "name another map setting"
            )


def check_pooled(settings: Mapping[str, Any], maps: Iterable[Node], size: int) -> None:
    """Refuse to pool maps whose basis cannot be pooled so, or to a size that does not divide the images'.

    The planes of features, and of a user's own bases, only the network knows.
    """
    how, pooled = settings["pool"], settings["size"]
    for node in maps if how != "none" else ():
        named = f"maps '{node.names['maps']}'"
        allowed = components.find("basis", node.basis).constants.get("POOLED_BY", (how,))
        if how not in allowed:
            raise ConfigError(
                f"matrices.pool: {named} of basis '{node.basis}' cannot be pooled by {how}; set it to "
                f"{' or '.join(allowed)}, or give these maps a study of their own"
            )
        if node.basis != "features" and ":" not in node.basis and size % pooled:
            raise ConfigError(
                f"matrices.size: {named} are {size}x{size} and cannot be pooled to {pooled}x{pooled}; choose a size "
                f"that divides {size}"
            )

"""Every named entry of the config, also one that no run uses yet: its component is there, its parameters fit.

A study's overlay leaves entries of ``config.yaml`` unused, and a user writes an entry before the run that uses it: what
is wrong with it is said when it is written. What needs the data, a network or the user's code is asked when a run uses
the entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from freqmaps.core import components
from freqmaps.core.errors import ConfigError, nearest

DECIDES_NUMBERS = False

#: Sections whose entries are a ``kind`` and its parameters: the kind of component, and what the workflow provides.
_PLAIN = {
    "datasets": ("dataset", ()),
    "attacks": ("attack", ()),
    "metrics": ("metric", ("seed",)),
    "pairings": ("pairing", ()),
    "evaluations": ("evaluation", ("seed",)),
    "simulations": ("simulation", ("seed",)),
}
#: What the workflow provides to every architecture, and the keys of a model that are not its architecture's.
SUPPLIED = ("classes", "channels", "size")
MODEL_KEYS = ("architecture", "normalise", "checkpoint", "rename")
#: Keys of a section of maps that are not the optimisation's.
OWN = {"maps": ("basis",), "group_maps": ("basis", "images", "samples")}
_LOOPS = {"maps": "MapSettings", "group_maps": "GroupMapSettings"}


def check(config: Mapping[str, Any]) -> None:
    """Check the entries of a config that its schema has found whole.

    Raises
    ------
    ConfigError
        No such component or parameter, a wrong type, a number outside its range; the message names the entry.
    """
    for section, (kind, supplied) in _PLAIN.items():
        for name, configured in config.get(section, {}).items():
            chosen, parameters = split_kind(configured)
            components.resolve(kind, chosen, parameters, where=f"{section}.{name}", supplied=supplied)
    for name, model in config.get("models", {}).items():
        parameters = {key: value for key, value in model.items() if key not in MODEL_KEYS}
        components.resolve(
            "model", model["architecture"], parameters, where=f"models.{name}", supplied=SUPPLIED, beside=MODEL_KEYS
        )
    for name in config.get("trainings", {}):
        training(config, name)
    for section in _LOOPS:
        for name in config.get(section, {}):
            optimisation(config, section, name)


def split_kind(value: Any) -> tuple[str, dict[str, Any]]:
    """Read a component that is named alone, or as a mapping of ``kind`` and its parameters."""
    if isinstance(value, str):
        return value, {}
    rest = dict(value)
    return rest.pop("kind"), rest


def training(config: Mapping[str, Any], name: str) -> tuple[dict[str, Any], list[components.Component]]:
    """Resolve a training: return its part of a spec (regime, settings, regularisers), and its components.

    The components come in the spec's order: the regime, then each regulariser.
    """
    where = f"trainings.{name}"
    settings = dict(config["trainings"][name])
    kind, parameters = split_kind(settings.pop("regime"))
    regularisers = [split_kind(regulariser) for regulariser in settings.pop("regularisers", [])]
    loop = training_settings()
    spec: dict[str, Any] = {
        "regime": {"kind": kind, "parameters": components.resolve("regime", kind, parameters, where=where)},
        "settings": components.fill(loop, settings, where=where, beside=("regime", "regularisers")),
    }
    if regularisers:  # A training without any has the spec that it had before there were any.
        place = f"{where}.regularisers"
        spec["regularisers"] = [
            {"kind": regulariser, "parameters": components.resolve("regulariser", regulariser, chosen, where=place)}
            for regulariser, chosen in regularisers
        ]
    parts = [components.find("regime", kind, where)]
    return spec, parts + [components.find("regulariser", regulariser, where) for regulariser, _ in regularisers]


def training_settings() -> components.Component:
    """Return the settings that every training has."""
    return components.settings("freqmaps.training.settings", "TrainingSettings")


def optimisation(
    config: Mapping[str, Any], section: str, name: str
) -> tuple[dict[str, Any], list[components.Component]]:
    """Resolve an entry of ``maps`` or ``group_maps``: objective, settings and basis, and the two components of these.

    Raises
    ------
    ConfigError
        As :func:`check`.
    """
    where = f"{section}.{name}"
    values = {key: value for key, value in config[section][name].items() if key not in OWN[section]}
    kind, parameters = split_kind(values.pop("objective"))
    objective = components.find("objective", kind, where)
    # Parameters of the objective may stand beside the settings of the optimisation.
    parameters |= {key: values.pop(key) for key in list(values) if key in objective.parameters}
    loop = components.settings(f"freqmaps.{section}.settings", _LOOPS[section])
    unknown = [key for key in values if key not in loop.parameters]
    if unknown:
        allowed = ["objective", *OWN[section], *objective.parameters, *loop.parameters]
        raise ConfigError(f"{where}: unknown key '{unknown[0]}'; {nearest(unknown[0], allowed)}")
    multiplied, multiplies = basis(config, section, name)
    spec = {
        "objective": {"kind": kind, "parameters": components.resolve("objective", kind, parameters, where=where)},
        "settings": components.fill(loop, values, where=where),
        "basis": multiplied,
    }
    return spec, [objective, multiplies]


def basis(config: Mapping[str, Any], section: str, name: str) -> tuple[dict[str, Any], components.Component]:
    """Resolve what the maps of an entry multiply: its part of a spec, and its component."""
    where = f"{section}.{name}.basis"
    kind, parameters = split_kind(config[section][name]["basis"])
    component = components.find("basis", kind, where)
    return {"kind": kind, "parameters": components.fill(component, parameters, where=where)}, component

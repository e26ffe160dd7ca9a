"""Every named entry of the config, also one that no run uses yet: its component is there, its parameters fit.

A study's overlay leaves entries of ``config.yaml`` unused, and a user writes an entry before the run that uses it: what
is wrong with it is said when it is written, names that only a library knows and names of other entries included. What
needs the data, a network or the user's code is asked when a run uses the entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from freqmaps.core import components
from freqmaps.core.errors import ConfigError, nearest
from freqmaps.study import precheck, reads
from freqmaps.study.questions import Questions

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
DATASET_KEYS = ("stored",)
MODEL_KEYS = ("architecture", "normalise", "checkpoint", "rename")
#: Keys of a section of maps that are not the optimisation's.
OWN = {"maps": ("basis",), "group_maps": ("basis", "images", "samples")}
_LOOPS = {"maps": "MapSettings", "group_maps": "GroupMapSettings"}


def check(config: Mapping[str, Any], questions: Questions) -> None:
    """Check the entries of a config that its schema has found whole; of those that no run uses, what only trying tells.

    Parameters
    ----------
    config
        The checked config.
    questions
        Of the study; what only another process can tell is added to them.

    Raises
    ------
    ConfigError
        No such component, parameter or entry, a wrong type, a number outside its range; the message names the entry.
    """
    for section, (kind, supplied) in _PLAIN.items():
        for name, configured in config.get(section, {}).items():
            chosen, parameters = split_kind(configured)
            where = f"{section}.{name}"
            beside = DATASET_KEYS if section == "datasets" else ()
            parameters = {key: value for key, value in parameters.items() if key not in beside}
            resolved = components.resolve(kind, chosen, parameters, where=where, supplied=supplied, beside=beside)
            if _is_waiting(config, section, name):
                _check_waiting(config, questions, components.find(kind, chosen), resolved, where)
    for name, model in config.get("models", {}).items():
        parameters = {key: value for key, value in model.items() if key not in MODEL_KEYS}
        where = f"models.{name}"
        resolved = components.resolve(
            "model", model["architecture"], parameters, where=where, supplied=SUPPLIED, beside=MODEL_KEYS
        )
        if _is_waiting(config, "models", name):
            precheck.names(questions, components.find("model", model["architecture"]), resolved, where)
    for name in config.get("trainings", {}):
        spec, parts = training(config, name)
        if _is_waiting(config, "trainings", name):
            _try(questions, parts, [spec["regime"], *spec.get("regularisers", [])], f"trainings.{name}")
            precheck.settings(questions, training_settings(), spec["settings"], f"trainings.{name}")
    for section in _LOOPS:
        for name in config.get(section, {}):
            spec, parts = optimisation(config, section, name)
            if _is_waiting(config, section, name):
                _try(questions, parts, [spec["objective"], spec["basis"]], f"{section}.{name}")


def _is_waiting(config: Mapping[str, Any], section: str, name: str) -> bool:
    """Whether no run uses an entry yet."""
    return section != "simulations" and not any(name in run[section] for run in config["runs"])


def _check_waiting(
    config: Mapping[str, Any], questions: Questions, component: components.Component, resolved: Mapping[str, Any],
    where: str,
) -> None:  # fmt: skip
    """Check of an entry that no run uses what needs no files: names of other entries, and what only trying tells."""
    if component.kind == "dataset":
        precheck.names(questions, component, resolved, where)
        return
    reads.check_entries(component, resolved, config, where)
    named = reads.named_components(component, resolved, where)
    chosen = [{"parameters": values} for values in (resolved, *({} for _ in named))]
    _try(questions, [component, *named], chosen, where)


def _try(
    questions: Questions, parts: Iterable[components.Component], chosen: Iterable[Mapping[str, Any]], where: str
) -> None:
    """Have parts of an entry that no run uses tried; a user's own code waits for the run."""
    for part, values in zip(parts, chosen, strict=True):
        if ":" not in part.name:
            precheck.component(questions, part, values["parameters"], where, alone=True)


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

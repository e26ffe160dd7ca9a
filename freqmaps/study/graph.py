"""The graph of results that a config asks for: each node's spec, key and path, before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from freqmaps.core import components
from freqmaps.core.errors import ConfigError, nearest
from freqmaps.provenance import code, keys
from freqmaps.study.extents import Extents

DECIDES_NUMBERS = False

#: Where each stage's results lie under the results root. The only place that says so.
PATHS = {
    "datasets": "{dataset}/datasets/{key}",
    "training": "{dataset}/{model}/{training}/seed{seed}/training/{key}",
    "attacks": "{dataset}/{model}/{training}/seed{seed}/attacks/{attack}/{range}/{key}",
    "maps": "{dataset}/{model}/{training}/seed{seed}/maps/{maps}/{images}/{attack}/{against}/{range}/{key}",
    "group_maps": "{dataset}/{model}/{training}/seed{seed}/group_maps/{group_maps}/{images}/{attack}/{key}",
    "matrices": "{dataset}/{model}/{training}/seed{seed}/matrices/{maps}/{attack}/{pairing}/{key}",
    "correlation": "{dataset}/{model}/{training}/seed{seed}/correlation/{maps}/{attack}/{pairing}/{metric}/{key}",
    "evaluation": "{dataset}/{model}/{training}/seed{seed}/evaluation/{evaluation}/{key}",
}

_STORE = ("store.zarr.zip",)

#: The files that a stage leaves beside the manifest: always the same, empty where there is nothing to say. A root on
#: object storage needs to know them before the job has run.
FILES = {
    "datasets": _STORE,
    "training": ("model.safetensors", "model.json", "history.csv"),
    "attacks": _STORE,
    "maps": _STORE,
    "group_maps": _STORE,
    "matrices": _STORE,
    "correlation": ("correlation.csv", "per_sample.csv"),
    "evaluation": ("evaluation.csv", "samples.csv"),
}

#: Libraries whose version decides a stage's numbers, besides those that its components name.
LIBRARIES = {
    "datasets": ("numpy", "pillow"),
    "training": ("torch",),
    "attacks": ("torch",),
    "maps": ("torch",),
    "group_maps": ("torch",),
    "evaluation": ("torch",),
    "matrices": ("numpy",),
    "correlation": ("numpy", "scipy"),
    "items": (),
}

SCRIPTS = components.PACKAGE.parent / "workflow_scripts"


@dataclass(frozen=True, eq=False)
class Node:
    """One keyed result.

    Attributes
    ----------
    stage, names
        Which stage, and the names of its place (``dataset``, ``model``, ..., ``range``).
    spec
        What decides its content; ``spec["inputs"]`` holds the keys of its inputs by role.
    inputs
        The nodes it reads.
    options
        What decides no number: device, threads, where raw data lie.
    """

    stage: str
    names: Mapping[str, str]
    spec: Mapping[str, Any]
    inputs: tuple[Node, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def key(self) -> str:
        """The key of its spec."""
        return keys.key(self.spec)

    @cached_property
    def path(self) -> str:
        """Its folder below the results root."""
        return PATHS[self.stage].format(**self.names, key=self.key)


class Graph:
    """All nodes of a study, each once."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.extents = Extents()

    def add(
        self,
        stage: str,
        names: Mapping[str, str],
        parameters: Mapping[str, Any],
        inputs: Mapping[str, Node | list[Node]],
        *,
        parts: Iterable[components.Component] = (),
        seed: int | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Node:
        """Add a result (or return the one already there) and derive its key.

        Parameters
        ----------
        stage, names, parameters
            What it is.
        inputs
            Nodes by role.
        parts
            Components that the stage loads by name: their code and libraries enter the key.
        seed
            The stage's own seed, where it draws random numbers.
        options
            What decides no number.
        """
        parts = list(parts)
        libraries = [*LIBRARIES[stage], *(name for part in parts for name in part.libraries)]
        spec: dict[str, Any] = {
            "stage": stage,
            "names": dict(names),
            "parameters": dict(parameters),
            "inputs": {r: n.key if isinstance(n, Node) else [m.key for m in n] for r, n in inputs.items()},
            "code": code.stage_digest([SCRIPTS / f"{stage}.py", *(part.path for part in parts)]),
            "libraries": keys.versions(libraries),
        }
        if seed is not None:
            spec["seed"] = seed
        flat = [m for n in inputs.values() for m in ([n] if isinstance(n, Node) else n)]
        node = Node(stage, dict(names), spec, tuple(flat), dict(options or {}))
        return self.nodes.setdefault(node.path, node)

    def at(self, stage: str, wildcards: Mapping[str, Any]) -> Node:
        """Return the node at a path, given by the wildcards that Snakemake read from it.

        Raises
        ------
        ConfigError
            The current config asks for no such result.
        """
        path = PATHS[stage].format(**wildcards)
        if path not in self.nodes:
            raise ConfigError(f"{path}: the current config asks for no such result; its spec may have changed since")
        return self.nodes[path]


def entry(section: Mapping[str, Any], name: str, where: str, what: str) -> dict[str, Any]:
    """Return a copy of a named entry of the config.

    Raises
    ------
    ConfigError
        There is none; with the nearest name.
    """
    if name not in section:
        raise ConfigError(f"{where}: no {what} named '{name}' in the config; {nearest(name, section)}")
    return dict(section[name])


def root_relative(path: str) -> Path:
    """Return a path that a config names, with ``~`` expanded; relative ones start at the working directory."""
    return Path(path).expanduser()

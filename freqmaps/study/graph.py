"""The graph of the results of a config: the spec, key and path of each, before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from freqmaps.core import components
from freqmaps.core.errors import ConfigError, nearest
from freqmaps.provenance import code, keys
from freqmaps.stages import STAGES, path_of
from freqmaps.stages.work import Shape
from freqmaps.study.extents import Extents
from freqmaps.study.questions import Questions

DECIDES_NUMBERS = False

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
    files
        What lies beside its manifest.
    order
        Its number in the study: inputs come before what is made from them.
    """

    stage: str
    names: Mapping[str, str]
    spec: Mapping[str, Any]
    inputs: tuple[Node, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    order: int = 0

    @cached_property
    def key(self) -> str:
        """The key of its spec."""
        return keys.key(self.spec)

    @cached_property
    def path(self) -> str:
        """Its folder below the results root."""
        return path_of(self.stage, self.names, self.key)

    @property
    def basis(self) -> str:
        """Of maps and group maps: the basis that they multiply."""
        basis = self.spec["parameters"].get("basis", {"kind": "fourier"})
        return str(basis["kind"])


class Graph:
    """All nodes of a study, each once."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        #: The shape of each dataset's images, by the key of its result: how much work a result is.
        self.shapes: dict[str, Shape] = {}
        #: The datasets whose images are not on this machine, so that their finished results stand for them.
        self.away: set[str] = set()
        self.extents = Extents()
        #: What another process has to try before work starts.
        self.questions = Questions()

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
        files: Iterable[str] | None = None,
        further: Mapping[str, Any] | None = None,
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
        files
            What it leaves beside its manifest; None: what its stage always does.
        further
            Other fields of the spec.
        """
        parts = list(parts)
        libraries = [*STAGES[stage].libraries, *(name for part in parts for name in part.libraries)]
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
        spec |= further or {}
        flat = [m for n in inputs.values() for m in ([n] if isinstance(n, Node) else n)]
        left = STAGES[stage].files if files is None else tuple(files)
        node = Node(stage, dict(names), spec, tuple(flat), dict(options or {}), left, len(self.nodes))
        return self.nodes.setdefault(node.path, node)


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

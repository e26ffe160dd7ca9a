"""Which results one job makes: results that take seconds share a process, to save its start-up time.

Two sorts of results belong together: those that read the same inputs, and those that the same results read, such as
one evaluation of several networks. What a job makes decides no key: a result is the same whichever job makes it. Only
what is missing is made.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from typing import Any

from freqmaps.provenance import keys
from freqmaps.stages import STAGES
from freqmaps.stages.work import Shape, estimated_seconds
from freqmaps.study.graph import Graph, Node

DECIDES_NUMBERS = False

#: Results per job at most: their specs stand on its command line.
MOST = 24
#: ASSUME: seconds of a metric whatever its matrices, and per pair of rows and value of a row, in distances.
_COMPARISON, _PER_DISTANCE = 0.2, 3e-10
#: Characters of inputs on a command line at most; a shell takes 128 kB in all.
_COMMAND_LINE = 40_000


@dataclass(frozen=True, eq=False)
class Batch:
    """The results that one job makes, in order: a result may read those before it.

    Attributes
    ----------
    nodes
        At least one. The last one's stage gives the job its name, its script and its resources.
    """

    nodes: tuple[Node, ...]

    @property
    def stage(self) -> str:
        """The stage that the job is called by."""
        return self.nodes[-1].stage

    @cached_property
    def inputs(self) -> tuple[Node, ...]:
        """The results that the job reads and does not make itself, each once."""
        own = set(self.nodes)
        return tuple(dict.fromkeys(i for node in self.nodes for i in node.inputs if i not in own))

    @property
    def named_inputs(self) -> list[str]:
        """The folders of its inputs below the root; none where they are too many for a command line."""
        paths = [node.path for node in self.inputs]
        return paths if sum(map(len, paths)) < _COMMAND_LINE else []

    @property
    def results(self) -> list[dict[str, Any]]:
        """The job's arguments for each result: its path below the root, its spec, its options."""
        return [{"path": n.path, "spec": dict(n.spec), "options": self._options(n)} for n in self.nodes]

    def _options(self, node: Node) -> dict[str, Any]:
        """Return a result's options; those of a training and of its snapshots tell where the last snapshot lies."""
        steps = [int(n.names["step"]) for n in self.nodes if n.stage == "snapshots"]
        if not steps or node.stage not in ("training", "snapshots"):
            return dict(node.options)
        options = dict(node.options) | {"last": posixpath.relpath(self.nodes[-1].path, node.path)}
        return options | ({"steps": steps} if node.stage == "training" else {})

    @property
    def name(self) -> str:
        """A name that no other job of the study has: stage, place and key of its first result."""
        first = self.nodes[0]
        place = "_".join([*first.names.values(), first.key[:6]])
        return f"{self.stage}_{place}".replace(":", ".")

    @property
    def message(self) -> str:
        """One line that says what the job makes."""
        shared = _shared([node.names for node in self.nodes])
        several = f", {len(self.nodes)} results" if len(self.nodes) > 1 else ""
        return f"{self.stage.replace('_', ' ')}: {'/'.join(shared) or self.nodes[0].names.get('item', '')}{several}"


def batches(graph: Graph, seconds: float) -> list[Batch]:
    """Return the jobs of a study.

    Parameters
    ----------
    graph
        Its results.
    seconds
        Results of one stage that read the same inputs, or that the same results read, share a job while their
        estimated work stays below this, and the matrices and metrics of one pair of map sets always; 0 gives each
        result a job of its own.
    """
    groups: dict[tuple[Any, ...], list[Node]] = {}
    followed = {_trajectory(node) for node in graph.nodes.values() if node.stage == "snapshots"}
    for node in graph.nodes.values():
        if node.stage in ("training", "snapshots") and _trajectory(node) in followed:
            group = _trajectory(node)
        else:
            group = _group(node) if seconds else (node.path,)
        groups.setdefault(group, []).append(node)
    alone = [batch for nodes in groups.values() for batch in _cut(nodes, graph.shapes, seconds)]
    return _joined(alone, graph.shapes, seconds) if seconds else alone


def _joined(alone: Iterable[Batch], shapes: Mapping[str, Shape], seconds: float) -> list[Batch]:
    """Join small jobs of one stage whose results the same jobs read.

    Whoever asks for a result of such a job needs all of it, so nothing is made in vain. Nor do jobs come to wait for
    each other in a circle: a job that reads one of the joined ones reads them all, so that a circle through joined jobs
    would have been one before.
    """
    job_of = {node: batch for batch in alone for node in batch.nodes}
    readers: dict[Batch, dict[Batch, None]] = {batch: {} for batch in alone}  # no sets: names must come out the same
    for batch in alone:
        for node in batch.inputs:
            readers[job_of[node]][batch] = None
    # The job that takes a job in, from the last jobs of the study to the first, so that readers are known when asked.
    joined: dict[Batch, int] = {}
    parts: list[list[Batch]] = []
    totals: list[float] = []
    open_ends: dict[tuple[Any, ...], int] = {}
    for batch in TopologicalSorter(readers).static_order():
        group = (batch.stage, frozenset(joined[reader] for reader in readers[batch]))
        work = sum(_seconds(node, shapes) for node in batch.nodes)
        at = open_ends.get(group)
        fits = at is not None and totals[at] + work <= seconds
        if at is None or not fits or sum(len(b.nodes) for b in parts[at]) + len(batch.nodes) > MOST:
            at = len(parts)
            parts.append([])
            totals.append(0.0)
            if _may_join(batch):
                open_ends[group] = at
        parts[at].append(batch)
        totals[at] += work
        joined[batch] = at
    nodes = [sorted((n for batch in part for n in batch.nodes), key=lambda n: n.order) for part in parts]
    return [Batch(tuple(part)) for part in sorted(nodes, key=lambda part: part[0].order)]


def _may_join(batch: Batch) -> bool:
    """Whether a job may make more than what reads the same inputs: pages, and networks along training, may not."""
    return not {node.stage for node in batch.nodes} & {"items", "report", "atlas", "snapshots"}


def _seconds(node: Node, shapes: Mapping[str, Shape]) -> float:
    """Return roughly how long a result takes; of matrices and their metrics by the number of their rows."""
    if node.stage not in ("matrices", "correlation"):
        return estimated_seconds(node.stage, node.spec, shapes)
    matrices = node if node.stage == "matrices" else node.inputs[0]
    samples = [n.spec["parameters"]["samples"] for n in matrices.inputs if n.stage == "maps"]
    rows = sum(int(part["stop"]) - int(part["start"]) for part in samples) / 2  # those of two sides
    values = max((shape.values for shape in shapes.values()), default=0)
    return _COMPARISON + rows**2 * values * _PER_DISTANCE


def _trajectory(node: Node) -> tuple[Any, ...]:
    """Return what a training and its snapshots have in common: one run of it makes them all."""
    parameters = {name: value for name, value in node.spec["parameters"].items() if name != "step"}
    return ("snapshots", node.spec["seed"], keys.digest(parameters), *(n.path for n in node.inputs))


def _group(node: Node) -> tuple[Any, ...]:
    """Return what results that may share a job have in common."""
    if node.stage == "correlation":
        return _group(node.inputs[0])
    if "step" in node.names:
        # The same of all snapshots of a training.
        return (node.stage, *(value for name, value in node.names.items() if name != "step"))
    return (node.stage, tuple(n.path for n in node.inputs))


def _cut(nodes: Iterable[Node], shapes: Mapping[str, Shape], seconds: float) -> Iterable[Batch]:
    held: list[Node] = []
    total = 0.0
    nodes = list(nodes)
    if any(node.stage == "snapshots" for node in nodes):
        yield Batch(tuple(sorted(nodes, key=lambda n: int(n.names.get("step", -1)))))
        return
    for node in nodes:
        work = 0.0 if node.stage in ("matrices", "correlation") else estimated_seconds(node.stage, node.spec, shapes)
        if held and (total + work > seconds or len(held) == MOST) and node.stage != "correlation":
            yield Batch(tuple(held))
            held, total = [], 0.0
        held.append(node)
        total += work
    if held:
        yield Batch(tuple(held))


def _shared(names: list[Mapping[str, str]]) -> list[str]:
    """Return the names that all results have, and of one that differs the first few."""
    fields = dict.fromkeys(field for names_of_result in names for field in names_of_result)
    shared = []
    for field in fields:
        values = list(dict.fromkeys(names_of_result[field] for names_of_result in names if field in names_of_result))
        shared.append("+".join(values[:4]) + ("+..." if len(values) > 4 else ""))
    return shared


def resources(batch: Batch, config: Mapping[str, Any]) -> tuple[int, int]:
    """Return memory in MB and time in minutes that a job asks a cluster for at its first attempt.

    Parameters
    ----------
    batch
        The job.
    config
        The study's config, whose ``resources`` go before the stages' own.
    """
    configured = config["resources"]
    memory, minutes = zip(
        *((STAGES[s].memory_mb, STAGES[s].minutes) for s in {n.stage for n in batch.nodes}), strict=True
    )
    # Snapshots come from a training, and need what the user gives trainings.
    own = configured.get(batch.stage, configured.get("training", {}) if batch.stage == "snapshots" else {})
    return own.get("mem_mb", max(memory)), own.get("runtime", max(minutes))


def on_device(batch: Batch) -> bool:
    """Whether a job runs a network."""
    return any(STAGES[node.stage].on_device for node in batch.nodes)


def is_light(batch: Batch) -> bool:
    """Whether a job belongs where Snakemake runs: a table or a page that reads no images and no maps."""
    if not {node.stage for node in batch.nodes} <= {"items", "report"}:
        return False
    return batch.stage == "report" or not any(STAGES[node.stage].contract for node in batch.inputs)

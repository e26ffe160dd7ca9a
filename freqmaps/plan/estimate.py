"""Estimate the seconds and bytes of each result of a study, and find which are finished already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from freqmaps.plan import finished
from freqmaps.plan.rates import Rates
from freqmaps.results.scan import KeyedFolder, scan
from freqmaps.stages import PUBLISHED
from freqmaps.stages.work import TRAINS, Case, Network, Shape, features
from freqmaps.study.build import Study
from freqmaps.study.graph import Node

DECIDES_NUMBERS = False

#: ASSUME: Python's start, imports, and Snakemake's share of a job; jobs without torch take less.
START_SECONDS = 3.0
#: ASSUME: a table or figure, and the report.
SHOWN_SECONDS, SHOWN_BYTES = 2.0, 5e5


@dataclass(frozen=True)
class Line:
    """The estimate of one result.

    Attributes
    ----------
    stage, path
        What it makes: a stage's result at this path below the root, or an item.
    made
        Whether it is there.
    seconds, factor, source
        Estimated wall time, start-up included; within which factor; what it rests on.
    gpus, threads
        What it occupies meanwhile.
    starts
        1 for the result that a job is called by, 0 for those that it makes beside it.
    bytes, bytes_factor, bytes_source
        On disk; exact where it is made.
    """

    stage: str
    path: str
    made: bool
    seconds: float
    factor: float
    source: str
    gpus: int
    threads: int
    bytes: float
    bytes_factor: float
    bytes_source: str
    starts: int = 1


@dataclass(frozen=True)
class Plan:
    """All results of a study, and the device that they are estimated for."""

    study: str
    root: str
    device: str
    lines: tuple[Line, ...]


def plan(study: Study, *, device: str | None = None) -> Plan:
    """Estimate every job of a study. Reads manifests under its root, imports no torch, starts nothing.

    Parameters
    ----------
    study
        The study, resolved.
    device
        ``cpu``, ``cuda`` or ``mps``: where networks will run. None: as the config says; ``auto`` is a GPU if this
        machine has one.
    """
    target = device or study.config["device"]
    target = _here() if target == "auto" else target
    stored = {result.path: result for result in scan(study.root)} if study.root.is_dir() else {}
    due = [[node for node in batch.nodes if not _is_complete(node, stored)] for batch in study.batches]
    estimator = _Estimator(Rates(finished.read(list(stored.values()))), target, _trained(due), study.graph.shapes)
    without_start = {node for nodes in due for node in nodes[:-1]}
    lines = []
    for node in study.graph.nodes.values():
        line = estimator.line(node)
        if node in without_start:
            line = replace(line, seconds=line.seconds - START_SECONDS, starts=0)
        if _is_complete(node, stored):
            line = replace(line, made=True, bytes=float(sum(stored[node.path].sizes.values())), bytes_factor=1.0)
        lines.append(line)
    return Plan(study.config["study"], str(study.root), target, tuple(lines))


def _is_complete(node: Node, stored: Mapping[str, KeyedFolder]) -> bool:
    return node.path in stored and stored[node.path].complete


def _trained(due: Sequence[Sequence[Node]]) -> dict[str, int]:
    """Return the steps of training by the path of the snapshot that they are made for.

    All snapshots of a job come from one run of the training, up to the last of them; where the job makes the training
    too, from that one, and nothing is trained for them.
    """
    steps = {}
    for nodes in due:
        if nodes and {node.stage for node in nodes} == {"snapshots"}:
            steps[nodes[-1].path] = int(nodes[-1].names["step"])
    return steps


def _here() -> str:
    """Return the device that ``auto`` finds on this machine, as far as one can see without asking torch."""
    return "cuda" if any(Path(f"/dev/{name}").exists() for name in ("nvidiactl", "nvidia0", "kfd")) else "cpu"


class _Estimator:
    def __init__(self, rates: Rates, device: str, trained: Mapping[str, int], shapes: Mapping[str, Shape]) -> None:
        self.rates, self.device, self.trained, self.shapes = rates, device, trained, shapes
        self._cases: dict[str, Case] = {}

    def line(self, node: Node) -> Line:
        threads = int(node.options.get("threads", 1))
        if node.stage in PUBLISHED:
            return Line(
                node.stage, node.path, False, SHOWN_SECONDS + START_SECONDS, 3.0, "default", 0, threads,
                SHOWN_BYTES, 4.0, "default",
            )  # fmt: skip
        case = self.case(node)
        seconds, size = self.rates.seconds(case), self.rates.bytes(case)
        on_gpu = "device" in node.options and self.device != "cpu"
        wall = seconds.value if on_gpu else seconds.value / threads
        return Line(
            node.stage, node.path, False, wall + START_SECONDS, seconds.factor, seconds.source, int(on_gpu), threads,
            size.value, size.factor, size.source,
        )  # fmt: skip

    def case(self, node: Node) -> Case:
        if node.path not in self._cases:
            self._cases[node.path] = self._case(node)
        return self._cases[node.path]

    def _case(self, node: Node) -> Case:
        shape = self._shape(node)
        training, matrices = _ancestor(node, *TRAINS), _ancestor(node, "matrices")
        network: Network | None = None if training is None else finished.network_of(training.spec)
        device = self.device if "device" in node.options else "cpu"
        width = features(None if matrices is None else matrices.spec, shape)
        image_count = finished.asked_for(node.spec, shape)
        case = Case(node.stage, node.spec, device, shape, network, 0.0, width)
        if image_count is None:
            return replace(case, images=self._shared(node))
        if node.stage == "snapshots":
            return replace(case, images=image_count, steps=float(self.trained.get(node.path, 0)))
        return replace(case, images=image_count * self.rates.share(case), steps=self.rates.steps(case))

    def _shared(self, node: Node) -> float:
        """Return how many samples all roles of a result's inputs can have in common: those of the smallest."""
        images = {source.key: self.case(source).images for source in node.inputs}
        roles = [[keys] if isinstance(keys, str) else keys for keys in node.spec["inputs"].values()]
        return min((sum(images[key] for key in role) for role in roles), default=0.0)

    def _shape(self, node: Node) -> Shape:
        dataset = _ancestor(node, "datasets")
        if dataset is None:
            return finished.NO_IMAGES
        return self.shapes[dataset.key]


def _ancestor(node: Node, *stages: str) -> Node | None:
    waiting = [node]
    while waiting:
        candidate = waiting.pop(0)
        if candidate.stage in stages:
            return candidate
        waiting += candidate.inputs[:3]
    return None

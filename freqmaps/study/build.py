"""From a checked config to the graph of its results, its items and its report."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from freqmaps.core import components
from freqmaps.core.errors import ConfigError, nearest
from freqmaps.core.paths import expanded
from freqmaps.provenance import keys
from freqmaps.stages import STAGES
from freqmaps.study import atlas, budgets, config, doubts, entries, networks, pages, precheck
from freqmaps.study.comparisons import add_comparisons
from freqmaps.study.graph import Graph, Node
from freqmaps.study.items import Item, add_item
from freqmaps.study.jobs import Batch, batches
from freqmaps.study.runs import Run

DECIDES_NUMBERS = False


@dataclass
class Study:
    """A config, resolved."""

    config: dict[str, Any]
    graph: Graph = field(default_factory=Graph)
    items: dict[str, Item] = field(default_factory=dict)
    atlas: atlas.Atlas | None = None
    atlas_node: Node | None = None
    report: Node | None = None

    @property
    def root(self) -> Path:
        """The results root, as a folder.

        Raises
        ------
        ConfigError
            It is on object storage.
        """
        if self.remote:
            raise ConfigError(
                f"results: '{self.config['results']}' is on object storage, which only the workflow itself reads; "
                "copy it to a folder and name that (docs/shared-roots.md)"
            )
        return expanded(self.config["results"], "results: ")

    @property
    def remote(self) -> bool:
        """Whether the results root is on object storage (``s3://bucket/prefix``)."""
        return "://" in self.config["results"]

    @cached_property
    def batches(self) -> list[Batch]:
        """The jobs that make the study's results; on object storage one for each, since what stands is not fetched."""
        return batches(self.graph, 0 if self.remote else self.config["together"])

    @property
    def published(self) -> dict[str, Node]:
        """What is laid at plain names: the result of each item by its id, ``atlas`` and ``report``."""
        nodes = {name: item.node for name, item in self.items.items()}
        return nodes | {name: node for name, node in (("atlas", self.atlas_node), ("report", self.report)) if node}

    def laid(self, name: str) -> dict[str, str]:
        """Return where the files of an item or a page are laid, below ``results/``, by name in their keyed folder."""
        return self.items[name].files if name in self.items else pages.plain_names(self.published[name].files)

    @cached_property
    def warnings(self) -> list[str]:
        """What the config asks for and may not mean: a sentence each."""
        return [*budgets.warnings(self.config), *doubts.of_networks(self.graph), *doubts.of_datasets(self.graph)]

    def targets(self) -> dict[str, list[str]]:
        """Return what each target of the study lays: ``all``, each paper (``b25``), each item and page."""
        targets = {"all": list(self.published), **{name: [name] for name in self.published}}
        for name in self.items:
            targets.setdefault(name.split("-")[0].lower(), []).append(name)
        return targets


def study(raw: Mapping[str, Any]) -> Study:
    """Resolve a config: check it, find its components, and derive every result's spec and key.

    Raises
    ------
    ConfigError
        Anything that can be known to fail before work starts.
    """
    built = Study(config.check(raw))
    _check_root_name(built.config["results"])
    for stage in built.config["resources"]:
        if stage not in STAGES:
            raise ConfigError(f"resources: no stage '{stage}'; {nearest(stage, STAGES)}")
    if not built.remote:
        _check_root(built.root)
    runs = [Run(built.config, built.graph, run, f"runs[{i}]") for i, run in enumerate(built.config["runs"])]
    for run in runs:
        run.add_maps()
    entries.check(built.config, built.graph.questions)
    _check_given(built.graph)
    built.graph.questions.ask()  # of networks, attacks and maps: what reads them would complain of what follows
    # What compares networks comes second: by then every run's maps are known.
    for run in runs:
        add_comparisons(run)
    for name, description in built.config["simulations"].items():
        _add_simulation(built, name, dict(description))
    for number, description in enumerate(built.config["items"]):
        entry = {"item": description} if isinstance(description, str) else dict(description)
        item = add_item(built.config, built.graph, built.items, entry, f"items[{number}]")
        built.items[item.name] = item
    built.graph.questions.ask()
    built.atlas = atlas.resolve(built.config["study"], built.config["atlas"], built.graph)
    built.atlas_node = pages.add_atlas(built)
    built.report = pages.add_report(built)
    return built


def _check_given(graph: Graph) -> None:
    """Refuse to count a checkpoint that somebody brought as several networks: a seed changes nothing about it."""
    seeds: dict[tuple[str, str], set[str]] = {}
    for node in graph.nodes.values():
        if node.stage == "training" and "checkpoint" in node.spec["parameters"]:
            seeds.setdefault((node.names["dataset"], node.names["model"]), set()).add(node.names["seed"])
    for (dataset, model), names in seeds.items():
        if len(names) > 1:
            raise ConfigError(
                f"models.{model}: its checkpoint is one network, but runs on '{dataset}' take it with the seeds "
                f"{', '.join(sorted(names, key=int))} and would count it as {len(names)}; give one seed, and a model "
                "for each checkpoint"
            )


def _add_simulation(built: Study, name: str, configured: dict[str, Any]) -> None:
    """Add a simulation: a result that rests on no other."""
    where, kind = f"simulations.{name}", configured.pop("kind")
    component = components.find("simulation", kind, where)
    parameters = components.resolve("simulation", kind, configured, where=where, supplied=("seed",))
    precheck.component(built.graph.questions, component, parameters, where)
    built.graph.add(
        "simulation", {"simulation": name}, {"simulation": {"kind": kind, "parameters": parameters}}, {},
        parts=[component], seed=keys.seed(built.config["seed"], "simulation", name),
        options=networks.options(built.config, "simulation"),
    )  # fmt: skip


def _check_root(root: Path) -> None:
    """Tell a results root that is not mounted from one that has still to be made."""
    if root.is_dir():
        return
    if root.is_symlink() or root.exists():
        raise ConfigError(f"results: {root} is no folder (a file, or a link to nothing); is its disk mounted?")
    if root.is_absolute() and not root.parent.is_dir():
        raise ConfigError(
            f"results: no folder {root.parent} to make '{root.name}' in; mount its disk, or make it first"
        )


def _check_root_name(results: str) -> None:
    """Refuse what a pattern of Snakemake or a command line would take for something else than a folder's name."""
    if re.search(r"[{}\x00-\x1f]", results) or results.startswith("-"):
        raise ConfigError(
            f"results: {results!r} holds a brace or a control character, or starts with a dash; choose another folder"
        )
    if "://" in results and not re.fullmatch(r"[a-z0-9]+://[^/?#]+(/[^?#]*)?", results):
        raise ConfigError(f"results: {results!r} is no address like 's3://bucket/prefix'; correct it")

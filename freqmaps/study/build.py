"""From a checked config to the graph of its results, its items and its report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from freqmaps.core.errors import ConfigError
from freqmaps.provenance import code, keys
from freqmaps.study import atlas, config
from freqmaps.study.comparisons import add_comparisons
from freqmaps.study.graph import SCRIPTS, Graph, root_relative
from freqmaps.study.items import Item, add_item
from freqmaps.study.runs import Run

DECIDES_NUMBERS = False


@dataclass
class Study:
    """A config, resolved."""

    config: dict[str, Any]
    graph: Graph = field(default_factory=Graph)
    items: dict[str, Item] = field(default_factory=dict)
    atlas: atlas.Atlas | None = None

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
        return root_relative(self.config["results"])

    @property
    def remote(self) -> bool:
        """Whether the results root is on object storage (``s3://bucket/prefix``)."""
        return "://" in self.config["results"]

    def report_key(self, templates: Sequence[str], shown: Mapping[str, Any]) -> str:
        """Return the key of the report: items, results, code, digests of its templates, the config that it shows."""
        spec = {
            "items": {i.name: i.key for i in self.items.values()},
            "results": sorted(self.graph.nodes),
            "code": code.stage_digest([SCRIPTS / "report.py"]),
            "templates": list(templates),
            "config": dict(shown),
        }
        return keys.key(spec)


def study(raw: Mapping[str, Any]) -> Study:
    """Resolve a config: check it, find its components, and derive every result's spec and key.

    Raises
    ------
    ConfigError
        Anything that can be known to fail before work starts.
    """
    built = Study(config.check(raw))
    _check_root_name(built.config["results"])
    if not built.remote:
        _check_root(built.root)
    runs = [Run(built.config, built.graph, run, f"runs[{i}]") for i, run in enumerate(built.config["runs"])]
    for run in runs:
        run.add_maps()
    # What compares networks comes second: by then every run's maps are known.
    for run in runs:
        add_comparisons(run)
    for number, given in enumerate(built.config["items"]):
        entry = {"item": given} if isinstance(given, str) else dict(given)
        item = add_item(built.config, built.graph, built.items, entry, f"items[{number}]")
        built.items[item.name] = item
    built.atlas = atlas.resolve(built.config["study"], built.config["atlas"], built.graph)
    return built


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

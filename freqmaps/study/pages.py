"""The report and the atlas of a study: keyed results that show the other results."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freqmaps.provenance.manifest import sha256
from freqmaps.study.graph import SCRIPTS, Node

if TYPE_CHECKING:
    from freqmaps.study.build import Study

DECIDES_NUMBERS = False

TEMPLATES = SCRIPTS.parent / "report"
#: What decides no number decides nothing of the report either.
_NOT_SHOWN = ("threads", "device", "compile", "results", "resources", "together", "job_start")


def shown_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of the config that the report shows."""
    return {key: value for key, value in config.items() if key not in _NOT_SHOWN}


def plain_names(files: Iterable[str]) -> dict[str, str]:
    """Return where the files of a page are laid, below ``results/``, by their names in its keyed folder."""
    return {file: f"tables/{file}" if file.endswith(".csv") else file for file in files}


def add_atlas(study: Study, templates: Path = TEMPLATES) -> Node | None:
    """Add the study's atlas, if it has one."""
    if not study.atlas:
        return None
    parts = sorted(path for path in (templates / "atlas").iterdir() if path.suffix in (".js", ".css"))
    return _add(
        study, "atlas", dict(study.atlas.parameters), list(study.atlas.inputs), [templates / "atlas.html.j2", *parts]
    )


def add_report(study: Study, templates: Path = TEMPLATES) -> Node:
    """Add the study's report: it shows all its results."""
    shown = {"config": shown_config(study.config), "atlas": study.atlas is not None}
    files = [templates / name for name in ("report.html.j2", "workflow.md")]
    return _add(study, "report", shown, [n for n in study.graph.nodes.values() if n.stage != "atlas"], files)


def _add(study: Study, name: str, parameters: dict[str, Any], nodes: list[Node], templates: list[Path]) -> Node:
    by_stage: dict[str, Node | list[Node]] = {}
    for node in nodes:
        by_stage.setdefault(node.stage, []).append(node)  # type: ignore[union-attr]
    options = {"templates": str(TEMPLATES)}
    if name == "atlas":
        options["device"] = study.config["device"]
    return study.graph.add(
        name, {"page": study.config["study"]}, parameters, by_stage, options=options,
        further={
            "templates": [sha256(path) for path in templates],
            # It tells the names of what it reads, so that paths count, not keys alone.
            "reads": hashlib.sha256("\n".join(sorted(n.path for n in nodes)).encode()).hexdigest()[:16],
        },
    )  # fmt: skip

"""The two pages of a study, its report and its atlas: their files, templates and keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freqmaps.provenance.manifest import sha256
from freqmaps.study.graph import SCRIPTS, Node

if TYPE_CHECKING:
    from freqmaps.study.build import Study

DECIDES_NUMBERS = False

TEMPLATES = SCRIPTS.parent / "report"
#: What decides no number decides nothing of the report either.
_NOT_SHOWN = ("threads", "device", "results")


@dataclass(frozen=True, eq=False)
class Page:
    """A page of the current config: its name, the results that it reads, its key, and what its stamp records."""

    name: str
    inputs: Sequence[Node]
    key: str
    records: Mapping[str, Any]

    @property
    def file(self) -> str:
        """Its file below the shown results."""
        return f"{self.name}.html"

    @property
    def stamp(self) -> str:
        """The file below the shown results that says that the page is current."""
        return f".current/{self.name}.{self.key}"


def shown_config(study: Study) -> dict[str, Any]:
    """Return the part of the config that the report shows."""
    return {key: value for key, value in study.config.items() if key not in _NOT_SHOWN}


def report(study: Study, templates: Path = TEMPLATES) -> Page:
    """Return the study's report."""
    digests = [sha256(templates / name) for name in ("report.html.j2", "workflow.md")]
    key = study.report_key(digests, shown_config(study))
    return Page("report", list(study.graph.nodes.values()), key, {"study": study.config["study"]})


def atlas(study: Study, templates: Path = TEMPLATES) -> Page | None:
    """Return the study's atlas, None if it has none."""
    if not study.atlas:
        return None
    parts = sorted(path for path in (templates / "atlas").iterdir() if path.suffix in (".js", ".css"))
    key = study.atlas.key([sha256(path) for path in (templates / "atlas.html.j2", *parts)])
    return Page("atlas", study.atlas.inputs, key, {"parameters": dict(study.atlas.parameters)})


def pages(study: Study, templates: Path = TEMPLATES) -> list[Page]:
    """Return the study's pages."""
    return [page for page in (atlas(study, templates), report(study, templates)) if page]

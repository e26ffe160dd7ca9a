"""Items as the report shows them, read back from their files."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from freqmaps.core.errors import StoreError
from freqmaps.publish.api import Column, Table


@dataclass(frozen=True)
class ReportItem:
    """One table or figure.

    Attributes
    ----------
    id, title, caption
        ``B25-T1``, and the two constants of its file.
    notes
        Sentences below it: setting, scope, how samples were chosen.
    links
        Downloads: label to address relative to the report.
    table
        The table, or None.
    svg
        The figure's SVG, or None.
    alt
        What the figure shows, in words.
    """

    id: str
    title: str
    caption: str
    notes: Sequence[str] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    table: Table | None = None
    svg: bytes | None = None
    alt: str = ""

    @property
    def data_uri(self) -> str:
        """The figure as a data URI: an image element of its own, so that ids of two SVGs cannot collide."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg or b"").decode("ascii")


def read_item(path: Path, *others: Path, report: Path) -> ReportItem:
    """Read a table or a figure back.

    Parameters
    ----------
    path
        Its CSV or SVG; the sidecar ``.json`` lies beside it.
    others
        Its LaTeX, or its PNG and PDF, to link to.
    report
        Where the report will lie: links are relative to it.

    Raises
    ------
    StoreError
        A file is missing or not whole.
    """
    try:
        about: dict[str, Any] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        links = {p.suffix[1:].upper(): Path(os.path.relpath(p, report.parent)).as_posix() for p in (path, *others)}
        shared: dict[str, Any] = {
            "id": about["item"], "title": about["title"],
            "caption": about["caption"], "notes": about["notes"], "links": links,
        }  # fmt: skip
        if about["kind"] == "figure":
            return ReportItem(**shared, svg=path.read_bytes(), alt=about["alt"])
        columns = [Column(**entry) for entry in about["columns"]]
        texts = dict.fromkeys((c.name for c in columns if not c.form), str)
        return ReportItem(**shared, table=Table(pd.read_csv(path, dtype=texts), list(about["notes"]), columns))
    except (OSError, KeyError, ValueError) as error:
        raise StoreError(f"{path}: not a whole item ({error}); run its target again") from error

"""The tables and figures that the report shows, read back from their files."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from pathlib import Path
from typing import Any

import pandas as pd

from freqmaps.core.errors import StoreError
from freqmaps.inference.verdicts import Claim
from freqmaps.publish.api import Column, Table
from freqmaps.publish.report._findings import sentence


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
    claims
        Those of its notes that are claims of a paper.
    found
        The sentence that the item itself says of what it found; empty if it says none.
    """

    id: str
    title: str
    caption: str
    notes: Sequence[str] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    table: Table | None = None
    svg: bytes | None = None
    alt: str = ""
    claims: Sequence[Claim] = ()
    found: str = ""

    @property
    def finding(self) -> str:
        """One sentence on what the item found: its own, else that of its claims, else what it shows."""
        return self.found or sentence(self.claims) or first_sentence(self.caption)

    @property
    def data_uri(self) -> str:
        """The figure as a data URI: an image element of its own, so that ids of two SVGs cannot collide."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg or b"").decode("ascii")


def first_sentence(text: str) -> str:
    """Return a text's first sentence.

    >>> first_sentence("Masks of all networks. Dark: 0.")
    'Masks of all networks.'
    """
    return re.split(r"(?<=[.?!])\s+(?=[A-Z])", text.strip(), maxsplit=1)[0]


def read_item(folder: Path) -> ReportItem:
    """Read a table or a figure back from the folder of its result.

    Its links are relative to the report, and lead to where its files are laid: ``tables/`` or ``figures/``.

    Raises
    ------
    StoreError
        A file is missing or not whole.
    """
    data_file = next((p for end in ("csv", "svg") for p in folder.glob(f"*.{end}")), None)
    if data_file is None:
        raise StoreError(f"{folder}: holds neither a table nor a figure; delete it and run its target again")
    path = data_file
    try:
        about: dict[str, Any] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        endings = ("csv", "tex") if about["kind"] == "table" else ("svg", "png", "pdf")
        links = {end.upper(): f"{about['kind']}s/{path.stem}.{end}" for end in endings}
        claims = [_claim(claim) for claim in about["claims"]]
        shared: dict[str, Any] = {
            "id": about["item"], "title": about["title"], "claims": claims,
            "caption": about["caption"], "notes": about["notes"], "links": links,
            "found": about.get("finding", ""),
        }  # fmt: skip
        if about["kind"] == "figure":
            return ReportItem(**shared, svg=path.read_bytes(), alt=about["alt"])
        columns = [Column(**entry) for entry in about["columns"]]
        texts = dict.fromkeys((c.name for c in columns if not c.form), str)
        return ReportItem(**shared, table=Table(pd.read_csv(path, dtype=texts), list(about["notes"]), columns))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{path}: not a whole item ({error}); run its target again") from error


def _claim(parts: dict[str, Any]) -> Claim:
    return Claim(**(parts | {key: nan for key in ("low", "high") if parts[key] is None}))

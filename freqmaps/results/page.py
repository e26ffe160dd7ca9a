"""The catalog as files: CSV, and one self-contained page that searches and sorts."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from freqmaps.core.components import PACKAGE
from freqmaps.core.files import write_text
from freqmaps.provenance import manifest
from freqmaps.results.rows import COLUMNS, rows
from freqmaps.results.scan import scan

DECIDES_NUMBERS = False

TEMPLATE = PACKAGE.parent / "report" / "catalog.html.j2"

#: Columns that the page's table shows; a click on a row shows the others.
_HIDDEN = ("parameters", "bytes", "commit", "dirty", "device", "seconds", "sha256", "file", "folder", "missing_inputs")


def write(root: Path | str, folder: Path) -> int:
    """List everything under a root and write ``catalog.csv`` and ``catalog.html`` to a folder; return how many rows.

    Raises
    ------
    FreqmapsError
        There is no such root.
    """
    listed = rows(scan(root))
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "catalog.csv", csv_text(listed))
    write_text(folder / "catalog.html", page(listed, root=str(root), beside=folder))
    return len(listed)


def csv_text(listed: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows as CSV; without rows, its header."""
    return manifest.csv_text(listed) if listed else ",".join(COLUMNS) + "\n"


def page(listed: Sequence[Mapping[str, Any]], *, root: str, beside: Path | None = None) -> str:
    """Return the catalog as one HTML page that needs no network.

    Parameters
    ----------
    listed
        The catalog's rows.
    root
        The results root, for the heading.
    beside
        The folder that the page will lie in: its links lead from there to the results. None: no links.
    """
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    base = None if beside is None else Path(os.path.relpath(Path(root).expanduser(), beside)).as_posix()
    data = {"columns": dict(COLUMNS), "hidden": _HIDDEN, "base": base, "rows": len(listed), "values": _packed(listed)}
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        root=root, date=manifest.now(), data=json.dumps(data, allow_nan=False).replace("<", "\\u003c")
    )


def _packed(listed: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Encode each column as its distinct values and an index per row, since names and parameters repeat."""
    packed = {}
    for name in COLUMNS:
        different: dict[str, int] = {}
        numbers = [different.setdefault(json.dumps(_plain(row[name])), len(different)) for row in listed]
        packed[name] = {"different": [json.loads(text) for text in different], "numbers": numbers}
    return packed


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and value != value else value

"""Write a table or a figure: whole files by rename, equal bytes for equal content."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import matplotlib

from freqmaps import components
from freqmaps.errors import FreqmapsError
from freqmaps.items._api import Figure, Inputs, Table
from freqmaps.items._latex import latex
from freqmaps.items._style import RESOLUTION, STYLE

DECIDES_NUMBERS = False


def make_item(
    item: str,
    inputs: Inputs,
    parameters: Mapping[str, Any],
    first: Path,
    second: Path,
    *,
    origin: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Build an item and write its files and ``first``'s sidecar (same name, ``.json``).

    Parameters
    ----------
    item
        Id of the item, ``B25-T1``.
    inputs, parameters
        The study's results, and the parameters of the item's ``build``.
    first, second
        CSV and LaTeX of a table, SVG and PNG of a figure.
    origin
        What made it (version, commit, …), for the sidecar.

    Returns
    -------
    dict
        The item's kind, and rows of a table.
    """
    component = components.find("item", item)
    made = components.load("item", item)(inputs, **parameters)
    about = {
        "item": item,
        "title": component.constants.get("TITLE", item),
        "caption": component.constants.get("CAPTION", ""),
        "parameters": dict(parameters),
        "origin": dict(origin or {}),
    }
    if isinstance(made, Table):
        write_table(made, first, second, about)
        return {"kind": "table", "rows": len(made.frame)}
    if isinstance(made, Figure):
        write_figure(made, first, second, about)
        return {"kind": "figure"}
    raise FreqmapsError(f"item '{item}' returned {type(made).__name__}; its build must return a Table or a Figure")


def write_table(table: Table, csv_path: Path, tex_path: Path, about: Mapping[str, Any] | None = None) -> None:
    """Write a table as CSV (every column, full precision), LaTeX (the columns shown) and a JSON sidecar.

    Parameters
    ----------
    table
        What to write.
    csv_path, tex_path
        Where; the sidecar takes the CSV's name with ``.json``.
    about
        Title, caption, origin and what else the sidecar shall carry.
    """
    about = dict(about or {})
    columns = [asdict(c) for c in table.shown()]
    _write(tex_path, latex(table, title=about.get("title", ""), label=tex_path.stem).encode())
    _sidecar(csv_path, about | {"kind": "table", "notes": table.notes, "columns": columns})
    _write(csv_path, table.frame.to_csv(index=False, lineterminator="\n").encode())


def write_figure(figure: Figure, svg_path: Path, png_path: Path, about: Mapping[str, Any] | None = None) -> None:
    """Write a figure as SVG (text as paths), PNG (200 dpi) and a JSON sidecar named as the SVG.

    No date, no random ids: the same figure gives the same bytes.
    """
    for path, form, metadata in ((png_path, "png", {"Software": None}), (svg_path, "svg", {"Date": None})):
        temporary = _beside(path)
        try:
            with matplotlib.rc_context(STYLE):
                figure.figure.savefig(
                    temporary, format=form, dpi=RESOLUTION, metadata=metadata, bbox_inches="tight", pad_inches=0.05
                )
            if form == "png":
                temporary.replace(path)
                continue
            _sidecar(path, dict(about or {}) | {"kind": "figure", "notes": figure.notes, "alt": figure.alt})
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _sidecar(path: Path, content: Mapping[str, Any]) -> None:
    _write(path.with_suffix(".json"), (json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n").encode())


def _write(path: Path, content: bytes) -> None:
    temporary = _beside(path)
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}")

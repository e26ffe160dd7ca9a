"""Write a table or a figure: whole files by rename, equal bytes for equal content."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freqmaps.core import components, files, jsons
from freqmaps.core.errors import ConfigError
from freqmaps.inference.verdicts import Claim
from freqmaps.provenance import manifest as manifests
from freqmaps.publish.api import Figure, Table
from freqmaps.publish.latex import latex

if TYPE_CHECKING:
    import pandas as pd


def write_table(table: Table, csv_path: Path, tex_path: Path, provenance: Mapping[str, Any] | None = None) -> None:
    """Write a table as CSV (every column, full precision), LaTeX (the columns meant for paper) and a JSON sidecar.

    In the CSV, text that a spreadsheet would take for a formula (a class called ``=1+1``) gets an apostrophe.

    Parameters
    ----------
    table
        What to write.
    csv_path, tex_path
        Where. The CSV's name is the item's id: the sidecar (same name, ``.json``) takes title and caption from it.
    provenance
        Goes into the sidecar: see :meth:`Inputs.provenance`.
    """
    about = _about(csv_path.stem)
    columns = [asdict(c) for c in table.shown()]
    files.write_text(tex_path, latex(table, title=about["title"], label=tex_path.stem))
    about |= {"kind": "table", "notes": table.notes, "claims": _claims([*table.notes, *table.claims])}
    about |= {"finding": table.finding}
    _sidecar(csv_path, about | {"columns": columns, "provenance": provenance})
    files.write_text(csv_path, _harmless(table.frame).to_csv(index=False, lineterminator="\n"))


def _harmless(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table in which a spreadsheet finds no formula: text that starts like one (a class's name) is quoted."""
    return frame.map(_quoted).rename(columns=_quoted)


def _quoted(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    text = re.sub(r"[\t\r\n]", " ", cell)
    is_number = re.fullmatch(r"[+-]?[\d.]*(e[+-]?\d+)?", text)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) and not is_number else text


def write_figure(figure: Figure, svg_path: Path, png_path: Path, provenance: Mapping[str, Any] | None = None) -> None:
    """Write a figure as SVG (text as paths), PDF (text as text), PNG (200 dpi) and a JSON sidecar.

    The PDF lies beside the SVG, under its name. No date, no random ids: the same figure gives the same bytes.
    """
    import matplotlib  # tables, which start as often, do without it

    from freqmaps.publish.style import RESOLUTION, STYLE

    pdf_path = svg_path.with_suffix(".pdf")
    undated: dict[Path, dict[str, None]] = {
        png_path: {"Software": None},
        pdf_path: {"CreationDate": None},
        svg_path: {"Date": None},
    }
    for path, metadata in undated.items():
        with files.whole(path) as temporary:
            with matplotlib.rc_context(STYLE):
                figure.figure.savefig(
                    temporary, format=path.suffix[1:], dpi=RESOLUTION, metadata=metadata, bbox_inches="tight",
                    pad_inches=0.05,
                )  # fmt: skip
            if path == svg_path:
                about = {"kind": "figure", "notes": figure.notes, "claims": _claims(figure.notes), "alt": figure.alt}
                about |= {"finding": figure.finding}
                _sidecar(path, _about(path.stem) | about | {"provenance": provenance})


def _about(item: str) -> dict[str, Any]:
    """Return an item's id, title and caption, and what made it; another file's name is its own title."""
    try:
        constants = components.find("item", item).constants
    except ConfigError:
        constants = {}
    title, caption = constants.get("TITLE", item), constants.get("CAPTION", "")
    return {"item": item, "title": title, "caption": caption, "origin": manifests.origin()}


def _claims(notes: Sequence[str]) -> list[dict[str, Any]]:
    """Return the parts of the notes that are claims of a paper."""
    return [note.parts() for note in notes if isinstance(note, Claim)]


def _sidecar(path: Path, content: Mapping[str, Any]) -> None:
    text = jsons.text(content, indent=1, ensure_ascii=False) + "\n"
    files.write_text(path.with_suffix(".json"), text)

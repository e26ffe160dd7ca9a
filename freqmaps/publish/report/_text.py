"""The report as Markdown, claims first and then every table: for a page of documentation or a README."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from freqmaps.core.version import __version__
from freqmaps.publish.api import Column, Table
from freqmaps.publish.report._chapters import chapters, claims_by_paper, in_words, scope_in_words
from freqmaps.publish.report._items import ReportItem
from freqmaps.publish.report._page import provenance
from freqmaps.results.reader import Inputs

#: Rows of a table at most; the CSV beside the report has all.
ROWS = 40


def build_markdown(
    items: Sequence[ReportItem],
    inputs: Inputs,
    *,
    title: str,
    origin: Mapping[str, Any] | None = None,
) -> str:
    """Return the report's claims and tables as GitHub's Markdown; figures are named, not shown.

    Parameters
    ----------
    items
        Tables and figures, in the order shown.
    inputs
        All results of the study: what made them, and how long it took.
    title
        Heading of the page.
    origin
        What made the page: ``freqmaps`` (version), ``commit``, ``dirty``.

    Returns
    -------
    str
        The same results give the same page.
    """
    lines = [f"# {title}", "", "Every figure on this page was written by the workflow from the results of one run.", ""]
    lines += [f"* {label}: {value}" for label, value in provenance(inputs, origin or {"freqmaps": __version__})]
    lines += [f"* {_spent(inputs)}", ""]
    lines += _ledger(items)
    for chapter in chapters(items):
        lines += [f"## {_plain(chapter['title'])}", "", _plain(chapter["citation"]), ""]
        for item in chapter["items"]:
            lines += _item(item)
    return "\n".join(lines).rstrip() + "\n"


def _spent(inputs: Inputs) -> str:
    seconds = sum(float(r.manifest.get("provenance", {}).get("wall_s") or 0) for r in inputs.results)
    return f"{len(inputs.results)} results, tables and figures not counted, made in {seconds:.0f} seconds of work"


def _ledger(items: Sequence[ReportItem]) -> list[str]:
    papers = claims_by_paper(items)
    if not papers:
        return []
    said = " ".join(filter(None, (in_words(items), scope_in_words(items))))
    lines = ["## What the papers claim, and what holds here", "", said, ""]
    for paper in papers:
        lines += [f"**{_plain(paper['citation'])}**", "", "| claim | paper reports | measured here | verdict | item |",
                  "|---|---|---|---|---|"]  # fmt: skip
        for claim in paper["claims"]:
            where = f"{claim['text']} ({claim['section']})" if claim["section"] else claim["text"]
            reported = claim["reported"]
            for case in claim["cases"]:
                measured = f"{case['place']}: {case['measured']}" if case["place"] else case["measured"]
                measured += f" ({case['on']})" if case["on"] else ""
                lines.append(_row([where, reported, measured, case["verdict"], ", ".join(case["items"])]))
                where = reported = ""
        lines.append("")
    return lines


def _item(item: ReportItem) -> list[str]:
    lines = [f"### {item.id}: {_plain(item.title)}", "", _plain(item.caption), ""]
    if item.table is not None:
        lines += [*_table(item.table), ""]
    said = set(map(str, item.claims))
    lines += [f"* {_plain(note)}" for note in item.notes if note not in said]
    return [*lines, ""]


def _table(table: Table) -> list[str]:
    columns = table.shown()
    records = table.frame.to_dict("records")
    lines = [_row([_header(column) for column in columns]), "|" + "---|" * len(columns)]
    lines += [_row([_cell(column, record) for column in columns]) for record in records[:ROWS]]
    if len(records) > ROWS:
        lines += ["", f"The first {ROWS} of {len(records)} rows; the CSV has all."]
    return lines


def _header(column: Column) -> str:
    return f"{column.group}: {column.label}" if column.group and column.group != column.label else column.label


def _cell(column: Column, record: Mapping[Any, Any]) -> str:
    value, error = column.text(record)
    return f"{value} ± {error}" if error else value


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_plain(cell) for cell in cells)} |"


def _plain(text: str) -> str:
    """Return a text that Markdown shows as it is, on one line."""
    text = " ".join(str(text).split())
    for mark in ("\\", "|", "*", "_", "<", "`"):
        text = text.replace(mark, f"\\{mark}")
    return text

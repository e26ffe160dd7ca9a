"""Build the report's HTML page from its template, the tables and figures, and their provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

import jinja2
import pandas as pd
import yaml
from markupsafe import Markup

from freqmaps.core.version import __version__
from freqmaps.publish.api import MISSING, Column, Table
from freqmaps.publish.doubts import warnings
from freqmaps.publish.report._chapters import chapters, claims_by_paper, in_words, scope_in_words
from freqmaps.publish.report._items import ReportItem
from freqmaps.publish.report._key_figures import attack_table, cards, map_table
from freqmaps.publish.report._markdown import render
from freqmaps.results.reader import Inputs


def build_report(
    items: Sequence[ReportItem],
    inputs: Inputs,
    study: Mapping[str, Any],
    *,
    template: str,
    workflow: str,
    title: str = "Frequency maps of a classifier and of its attacks",
    origin: Mapping[str, Any] | None = None,
    atlas: bool = False,
) -> str:
    """Return the report: one HTML page with styles, script and figures inside.

    Parameters
    ----------
    items
        Tables and figures, in the order shown.
    inputs
        All results of the study: the key figures and the provenance are read from them.
    study
        The config, shown as YAML.
    template
        Text of the Jinja template.
    workflow
        Description of the workflow, Markdown.
    title
        Heading of the page.
    atlas
        Whether ``atlas.html`` lies beside the page and is linked.
    origin
        What made the report: ``freqmaps`` (version), ``commit``, ``dirty``.

    Returns
    -------
    str
        HTML. It names no time of its own: the same results give the same page.
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["table"] = table_html
    return environment.from_string(template).render(
        title=title,
        chapters=chapters(items),
        ledger=claims_by_paper(items),
        tally=in_words(items),
        scope=scope_in_words(items),
        cards=cards(inputs),
        warnings=warnings(inputs),
        attacks=attack_table(inputs),
        maps=map_table(inputs),
        workflow=Markup(render(workflow)),
        stages=_stages(inputs),
        provenance=provenance(inputs, origin or {"freqmaps": __version__}),
        libraries=_libraries(inputs),
        runs=_runs(inputs),
        config=yaml.safe_dump(dict(study), sort_keys=False, allow_unicode=True, width=100),
        atlas=atlas,
    )


def table_html(table: Table, caption: str, identity: str) -> Markup:
    """Return a sortable HTML table; the page's script makes the buttons in its header sort.

    Parameters
    ----------
    table
        What to show: the columns of ``table.shown()``.
    caption
        Its accessible name.
    identity
        An id for the element.
    """
    columns = table.shown()
    rows = "".join(_row(columns, record) for record in table.frame.to_dict("records"))
    grouped = _groups(columns) if any(c.group for c in columns) else ""
    head = f"<thead>{grouped}<tr>{''.join(_head(c) for c in columns)}</tr></thead>"
    label = escape(f"{caption} (scrolls sideways)")
    return Markup(
        f'<div class="scroll" role="region" aria-label="{label}" tabindex="0"><table id="{escape(identity)}" '
        f'class="sortable"><caption class="hidden">{escape(caption)}</caption>{head}<tbody>{rows}</tbody></table></div>'
    )


def _groups(columns: Sequence[Column]) -> str:
    cells = []
    for group, members in groupby(columns, key=lambda c: c.group):
        tag = "th" if group else "td"
        scope = ' scope="colgroup"' if group else ""
        cells.append(f'<{tag} colspan="{len(list(members))}"{scope}>{escape(group)}</{tag}>')
    return f'<tr class="groups">{"".join(cells)}</tr>'


def _head(column: Column) -> str:
    kind = _class(column)
    return f'<th scope="col"{kind} aria-sort="none"><button type="button">{escape(column.label)}</button></th>'


def _class(column: Column) -> str:
    names = [*(["number"] if column.form else []), *(["published"] if column.published else [])]
    return f' class="{" ".join(names)}"' if names else ""


def _row(columns: Sequence[Column], record: Mapping[Any, Any]) -> str:
    cells = []
    for column in columns:
        value, error = column.text(record)
        raw = record.get(column.name)
        key = "" if value == MISSING else escape(str(raw))
        spread = f' <span class="error">± {escape(error)}</span>' if error else ""
        cells.append(f'<td{_class(column)} data-key="{key}">{escape(value)}{spread}</td>')
    return f"<tr>{''.join(cells)}</tr>"


def _stages(inputs: Inputs) -> Table:
    """Return how many results each stage has, and the seconds spent on them."""
    rows = []
    for stage in dict.fromkeys(r.stage for r in inputs.results):
        results = [r.manifest.get("provenance", {}) for r in inputs.results if r.stage == stage]
        devices = sorted({str(p["device"]) for p in results if p.get("device")})
        seconds = sum(float(p.get("wall_s") or 0) for p in results)
        rows.append({"stage": stage, "results": len(results), "seconds": seconds, "device": ", ".join(devices)})
    columns = [
        Column("stage", "Stage"), Column("results", "Results", "", "d"), Column("seconds", "Seconds", "", ".1f"),
        Column("device", "Device"),
    ]  # fmt: skip
    return Table(pd.DataFrame(rows, columns=[c.name for c in columns]), [], columns)


def provenance(inputs: Inputs, origin: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return label and value: what made the page, what made the results, and when."""
    records = [r.manifest.get("provenance", {}) for r in inputs.results]
    dates = sorted(str(p["date"]) for p in records if p.get("date"))
    lines = [("This page", _origin(origin))]
    lines.append(
        ("Results made by", "; ".join(sorted({_origin(p) for p in records if p.get("freqmaps")})) or "unknown")
    )
    if dates:
        lines.append(("Results made", dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"))
    pythons = sorted({str(p["python"]) for p in records if p.get("python")})
    return [*lines, *([("Python", ", ".join(pythons))] if pythons else [])]


def _origin(origin: Mapping[str, Any]) -> str:
    dirty = ", with uncommitted changes" if origin.get("dirty") else ""
    commit = f", commit {str(origin['commit'])[:12]}" if origin.get("commit") else ""
    return f"freqmaps {origin.get('freqmaps', 'unknown')}{commit}{dirty}"


def _libraries(inputs: Inputs) -> list[tuple[str, str]]:
    versions: dict[str, set[str]] = {}
    for result in inputs.results:
        for name, version in result.manifest.get("provenance", {}).get("libraries", {}).items():
            versions.setdefault(str(name), set()).add(str(version))
    return [(name, ", ".join(sorted(distinct))) for name, distinct in sorted(versions.items())]


def _runs(inputs: Inputs) -> Table:
    """Return every result: stage, names, key, seconds, date."""
    rows = []
    for result in inputs.results:
        provenance = result.manifest.get("provenance", {})
        names = ", ".join(f"{key} {name}" for key, name in result.names.items())
        row = {"stage": result.stage, "names": names, "key": result.manifest.get("key", result.folder.name)}
        rows.append(row | {"seconds": provenance.get("wall_s"), "date": provenance.get("date", "")})
    columns = [
        Column("stage", "Stage"), Column("names", "Names"), Column("key", "Key"),
        Column("seconds", "Seconds", "", ".1f"), Column("date", "Finished"),
    ]  # fmt: skip
    return Table(pd.DataFrame(rows, columns=[c.name for c in columns]), [], columns)

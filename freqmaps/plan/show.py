"""Write a study's estimated cost as a text table, as CSV and as JSON."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from freqmaps.core import jsons
from freqmaps.plan.estimate import Line, Plan
from freqmaps.provenance.manifest import csv_text as _csv

DECIDES_NUMBERS = False

HOUR = 3600.0


def rows(plan: Plan) -> list[dict[str, Any]]:
    """Return a row per stage, in the study's order, and the totals as a last row.

    Hours and ``bytes_due`` are those of results that are due; ``bytes`` those of all. ``jobs`` counts the jobs that
    make them. ``low`` and ``high`` bound GPU-hours plus CPU-hours as a factor of the estimate. ``unknown`` counts due
    results that rest on a guess.
    """
    stages = list(dict.fromkeys(line.stage for line in plan.lines))
    listed = [_row(stage, [line for line in plan.lines if line.stage == stage]) for stage in stages]
    return [*listed, _row("total", plan.lines)]


def _row(stage: str, lines: Sequence[Line]) -> dict[str, Any]:
    due = [line for line in lines if not line.made]
    seconds = sum(line.seconds * line.threads for line in due)
    low, high = (sum(line.seconds * line.threads * line.factor**way for line in due) for way in (-1, 1))
    return {
        "stage": stage,
        "results": len(lines),
        "jobs": sum(line.starts for line in lines if not line.made),
        "made": len(lines) - len(due),
        "due": len(due),
        "gpu_hours": sum(line.seconds * line.gpus for line in due) / HOUR,
        "cpu_hours": seconds / HOUR,
        "longest_hours": max((line.seconds for line in due), default=0.0) / HOUR,
        "bytes_due": sum(line.bytes for line in due),
        "bytes": sum(line.bytes for line in lines),
        "low": low / seconds if seconds else 1.0,
        "high": high / seconds if seconds else 1.0,
        "unknown": sum("unknown" in line.source or "guess" in line.source for line in due),
        "time_from": _sources(line.source for line in due),
        "bytes_from": _sources(line.bytes_source for line in due),
    }


def _sources(sources: Iterable[str]) -> str:
    counted = collections.Counter(sources)
    return "; ".join(f"{source} ({count})" for source, count in counted.most_common())


def csv_text(plan: Plan) -> str:
    """Return the rows as CSV."""
    return _csv(rows(plan))


def json_text(plan: Plan) -> str:
    """Return study, device, rows and every single result as JSON."""
    whole = {"study": plan.study, "root": plan.root, "device": plan.device, "stages": rows(plan)}
    return jsons.text(whole | {"results": [asdict(line) for line in plan.lines]}, indent=1) + "\n"


def text(plan: Plan) -> str:
    """Return the table for a terminal, with what its lines rest on."""
    listed = rows(plan)
    head = ["", "results", "made", "due", "jobs", "GPU h", "CPU h", "longest", "disk, due", "disk, all", "time within"]
    table = [head, *(_cells(row) for row in listed)]
    widths = [max(len(line[i]) for line in table) for i in range(len(head))]
    drawn = ["  ".join(_fit(cell, width, i) for i, (cell, width) in enumerate(zip(line, widths, strict=True))).rstrip()
             for line in table]  # fmt: skip
    drawn.insert(-1, "-" * max(map(len, drawn)))
    title = f"Study {plan.study}, networks on {plan.device}, results under {plan.root}"
    return "\n".join([title, "", *drawn, "", *_notes(listed)]) + "\n"


def _fit(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if column == 0 else cell.rjust(width)


def _cells(row: dict[str, Any]) -> list[str]:
    within = f"{row['low']:.2g} to {row['high']:.2g} x" if row["due"] else ""
    hours = [_hours(row["gpu_hours"]), _hours(row["cpu_hours"]), _duration(row["longest_hours"])]
    sizes = [_size(row["bytes_due"]), _size(row["bytes"])]
    return [row["stage"], *(str(row[n]) for n in ("results", "made", "due", "jobs")), *hours, *sizes, within]


def _notes(listed: Sequence[dict[str, Any]]) -> list[str]:
    due = [row for row in listed[:-1] if row["due"]]
    if not due:
        return ["Everything is made."]
    lines = ["Time rests on (results):", *(f"  {row['stage']}: {row['time_from']}" for row in due)]
    lines += ["Disk rests on (results):", *(f"  {row['stage']}: {row['bytes_from']}" for row in due)]
    if listed[-1]["unknown"]:
        lines.append(
            f"{listed[-1]['unknown']} of {listed[-1]['due']} due results rest on a guess: make one of each kind, "
            "say with a smaller `samples: first`, and ask again."
        )
    lines.append(
        "CPU h are hours times threads, of jobs on a GPU too. Every image counts as eligible until results tell."
    )
    return lines


def _hours(hours: float) -> str:
    return "-" if not hours else f"{hours:.2f}" if hours < 10 else f"{hours:.0f}"


def _duration(hours: float) -> str:
    if not hours:
        return "-"
    if hours < 1 / 60:
        return f"{hours * HOUR:.0f} s"
    return f"{hours * 60:.0f} min" if hours < 2 else f"{hours:.1f} h"


def _size(count: float) -> str:
    for unit, step in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= step:
            return f"{count / step:.3g} {unit}"
    return f"{count:.0f} B"

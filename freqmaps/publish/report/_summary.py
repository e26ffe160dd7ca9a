"""A summary of Table I of Basile et al. in a few lines of text for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from freqmaps.publish.api import formatted

_PLACE = ("dataset", "model", "training", "maps")
_HEAD = ("attack", "SVCCA", "cosine", "n")
#: IdCor has lines of its own, since none of its readings is to stand alone.
_IDCOR = ("IdCor, p", "as made", "cleaned", "released constant")
_READINGS = (
    ("idcor", "p_value"),
    ("idcor_cleaned", "idcor_cleaned_p_value"),
    ("idcor_released", "idcor_released_p_value"),
)


def summary_lines(frame: pd.DataFrame) -> str:
    """Return Table I (the frame of B25-T1) in a few lines of text, the paper's values in brackets.

    Parameters
    ----------
    frame
        Read from ``B25-T1.csv``, or ``build(inputs).frame``.

    Returns
    -------
    str
        One line that names the setting, one with headers, one per attack, and the same with IdCor as made, of cleaned
        maps and with the released code's constant; settings apart. Where rows differ in their training seeds, each
        names its own.
    """
    blocks = []
    for place, rows in frame.groupby(list(_PLACE), sort=False, dropna=False):
        seeds = rows["seed"].astype(str).unique()
        named = [*place[:3], seeds[0] if len(seeds) == 1 else "", place[3]]
        names = [str(name) for name in named if name == name and name != ""]
        records = [(_called(row, len(seeds) > 1), row) for row in rows.to_dict("records")]
        lines = _aligned([_HEAD, *((name, *_cells(row)) for name, row in records)])
        lines += _aligned([_IDCOR, *((name, *_idcor(row)) for name, row in records)])
        blocks.append("\n".join([f"Table I, {' / '.join(names)}", *(f"  {line}" for line in lines)]))
    note = "[paper's value: CIFAR-10, ResNet-20]" if frame["published_idcor"].notna().any() else ""
    return "\n".join([*blocks, *([note] if note else [])])


def _aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
    return [line.rstrip() for line in lines]


def _called(row: Mapping[Any, Any], by_seed: bool) -> str:
    return f"{row['attack']} (seed {row['seed']})" if by_seed else str(row["attack"])


def _cells(row: Mapping[Any, Any]) -> tuple[str, ...]:
    cosine = f"{formatted(row['cosine_mean'], '.2f')} ± {formatted(row['cosine_std'], '.2f')}"
    theirs = formatted(row["published_cosine_mean"], ".2f")
    return (
        _pair(row, "svcca", ".2f"),
        cosine if theirs == formatted(None) else f"{cosine} [{theirs}]",
        formatted(row["n"], "d"),
    )


def _idcor(row: Mapping[Any, Any]) -> tuple[str, ...]:
    """Return IdCor and its p-value in each reading; beside that as made the paper's."""
    cells = [_with_p(row, value, p) for value, p in _READINGS]
    theirs = _with_p(row, "published_idcor", "published_p_value")
    return (cells[0] if theirs == formatted(None) else f"{cells[0]} [{theirs}]", *cells[1:])


def _with_p(row: Mapping[Any, Any], value: str, p: str) -> str:
    shown = [formatted(row[value], ".2f"), formatted(row[p], ".2g")]
    return ", ".join(shown) if formatted(None) not in shown else shown[0]


def _pair(row: Mapping[Any, Any], name: str, form: str) -> str:
    ours, theirs = formatted(row[name], form), formatted(row[f"published_{name}"], form)
    return ours if theirs == formatted(None) else f"{ours} [{theirs}]"

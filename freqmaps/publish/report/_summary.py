"""A summary of Table I of Basile et al. in a few lines of text for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from freqmaps.publish.api import formatted

_PLACE = ("dataset", "model", "training", "maps")
_HEAD = ("attack", "SVCCA", "cosine", "IdCor", "p", "n")


def summary_lines(frame: pd.DataFrame) -> str:
    """Return Table I (the frame of B25-T1) in a few lines of text, the paper's values in brackets.

    Parameters
    ----------
    frame
        Read from ``B25-T1.csv``, or ``build(inputs).frame``.

    Returns
    -------
    str
        One line that names the setting, one with headers, one per attack; settings apart. Where rows differ in their
        training seeds, each names its own.
    """
    blocks = []
    for place, rows in frame.groupby(list(_PLACE), sort=False, dropna=False):
        seeds = rows["seed"].astype(str).unique()
        named = [*place[:3], seeds[0] if len(seeds) == 1 else "", place[3]]
        names = [str(name) for name in named if name == name and name != ""]
        cells = [_HEAD, *(_cells(row, len(seeds) > 1) for row in rows.to_dict("records"))]
        widths = [max(len(line[i]) for line in cells) for i in range(len(_HEAD))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
        blocks.append("\n".join([f"Table I, {' / '.join(names)}", *(f"  {line.rstrip()}" for line in lines)]))
    note = "[paper's value: CIFAR-10, ResNet-20]" if frame["published_idcor"].notna().any() else ""
    return "\n".join([*blocks, *([note] if note else [])])


def _cells(row: Mapping[Any, Any], by_seed: bool) -> tuple[str, ...]:
    cosine = f"{formatted(row['cosine_mean'], '.2f')} ± {formatted(row['cosine_std'], '.2f')}"
    theirs = formatted(row["published_cosine_mean"], ".2f")
    return (
        f"{row['attack']} (seed {row['seed']})" if by_seed else str(row["attack"]),
        _pair(row, "svcca", ".2f"),
        cosine if theirs == formatted(None) else f"{cosine} [{theirs}]",
        _pair(row, "idcor", ".2f"),
        _pair(row, "p_value", ".2g"),
        formatted(row["n"], "d"),
    )


def _pair(row: Mapping[Any, Any], name: str, form: str) -> str:
    ours, theirs = formatted(row[name], form), formatted(row[f"published_{name}"], form)
    return ours if theirs == formatted(None) else f"{ours} [{theirs}]"

"""What an item returns: a :class:`Table` or a :class:`Figure`. It is built from :class:`freqmaps.results.Inputs`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    import matplotlib.figure

    from freqmaps.inference.verdicts import Claim


@dataclass(frozen=True)
class Column:
    """How a column of a table is shown.

    Attributes
    ----------
    name
        The column of the frame.
    label, group
        Its header, and the header that it shares with its neighbours.
    form
        A format specification for numbers, ``.2f``.
    error
        The column with its sampling error, shown as ±.
    published
        Whether it holds the paper's values.
    scale
        Factor from the frame's number to the one shown: 100 for a share in percent.
    paper
        Whether LaTeX has it, too: a page is narrower than the report, which scrolls.
    """

    name: str
    label: str
    group: str = ""
    form: str = ""
    error: str | None = None
    published: bool = False
    scale: float = 1
    paper: bool = True

    def text(self, row: Mapping[str, Any]) -> tuple[str, str]:
        """Return the value and its error (or "") of a row, formatted; a missing value is an en dash."""
        value = formatted(row.get(self.name), self.form, self.scale)
        error = formatted(row.get(self.error), self.form, self.scale) if self.error else MISSING
        return value, "" if MISSING in (value, error) else error


MISSING = "–"


def formatted(value: Any, form: str = "", scale: float = 1) -> str:
    """Format a cell; NaN, None and "" become an en dash.

    >>> formatted(0.256, ".2f"), formatted(float("nan"), ".2f"), formatted("pgd")
    ('0.26', '–', 'pgd')
    """
    if value is None or value == "" or (isinstance(value, float) and value != value):
        return MISSING
    if isinstance(value, str):
        return value
    return format(int(value) if form == "d" else value * scale, form)


@dataclass(frozen=True)
class Table:
    """A table: all numbers in ``frame``; the columns shown in print, in order; notes on scope and counts.

    Notes that are claims of a paper (:class:`freqmaps.inference.verdicts.Claim`) go to the ledger of claims, as do
    those in ``claims``, which no note says because the table shows them. ``finding`` is one computed sentence on what
    the table found, which the report shows while the table is folded; empty where its claims say it.
    """

    frame: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    columns: Sequence[Column] = ()
    claims: Sequence[Claim] = ()
    finding: str = ""

    def shown(self) -> list[Column]:
        """Return the columns to show: those declared, or all."""
        return list(self.columns) or [Column(str(name), str(name)) for name in self.frame.columns]


@dataclass(frozen=True)
class Figure:
    """A figure, notes on what it shows, of which claims go to the ledger, and a text for those who cannot see it.

    ``finding`` is one computed sentence on what the figure found, which the report shows while it is folded; empty
    where its claims say it, or where it shows examples only.
    """

    figure: matplotlib.figure.Figure
    notes: list[str] = field(default_factory=list)
    alt: str = ""
    finding: str = ""

"""The ledger of claims: what papers claim, what they report, what a study measured, and the computed verdict.

A claim is what an item returns among its notes as a :class:`freqmaps.inference.verdicts.Claim`; nothing is written by
hand.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import get_args

import pandas as pd

from freqmaps.core.errors import FreqmapsError, StoreError
from freqmaps.inference.verdicts import Claim, Finding
from freqmaps.results.scan import KeyedFolder, scan

DECIDES_NUMBERS = False

#: Columns of ``claims.csv`` and what they hold.
COLUMNS = {
    "paper": "short name of the paper",
    "section": "where the paper says it",
    "item": "the table or figure that tests it",
    "place": "which of the study's networks, data or attacks it is said of",
    "claim": "what the paper says, in our words",
    "reported": "what the paper reports",
    "measured": "what this study measured",
    "low": "interval that decides it, of several the worst for the claim; empty where none is known",
    "high": "interval that decides it, of several the worst for the claim; empty where none is known",
    "n": "images, networks or draws that it was measured on",
    "networks": "networks that it rests on, whose trainings differ by the seed alone; 1: a verdict on that one",
    "verdict": "holds, does not hold, or cannot be told here",
}
#: A test that two items show has these alike, and counts once.
SAME_TEST = ("place", "measured", "verdict")
VERDICTS: tuple[str, ...] = get_args(Finding)
_NUMBERS = {"low": "float64", "high": "float64", "n": "Int64", "networks": "Int64"}


def paper_of(item: str) -> str:
    """Return the short name of an item's paper.

    >>> paper_of("B25-T1")
    'B25'
    """
    return item.partition("-")[0]


def ledger(claims: Mapping[str, Sequence[Claim]]) -> pd.DataFrame:
    """Return one row per claim.

    Parameters
    ----------
    claims
        By item, in the order of the report.

    Returns
    -------
    DataFrame
        Columns :data:`COLUMNS`; numbers that there are not are missing values, counts are whole numbers.
    """
    rows = []
    for item, said in claims.items():
        for claim in said:
            parts = claim.parts()
            rows.append({"paper": paper_of(item), "item": item, "measured": parts["evidence"]} | parts)
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(_NUMBERS)


def read(path: Path) -> pd.DataFrame:
    """Read a ledger back from ``claims.csv``.

    Raises
    ------
    FreqmapsError
        There is no such file, or it is no ledger.
    """
    try:
        frame = pd.read_csv(path, dtype={column: _NUMBERS.get(column, "str") for column in COLUMNS},
                            keep_default_na=False, na_values={key: [""] for key in _NUMBERS})  # fmt: skip
    except (OSError, ValueError) as error:
        raise FreqmapsError(f"{path}: not a ledger of claims ({error}); make the study's report again") from error
    if list(frame.columns) != list(COLUMNS) or not set(frame["verdict"]) <= set(VERDICTS):
        raise FreqmapsError(f"{path}: not a ledger of claims of this version; make the study's report again")
    return frame


def tally(verdicts: Iterable[str]) -> str:
    """Count verdicts in words.

    >>> tally(["holds", "cannot be told here", "holds"])
    '2 hold, 1 cannot be told here'
    """
    counts = dict.fromkeys(VERDICTS, 0)
    for verdict in verdicts:
        counts[verdict] += 1
    plural = {"holds": "hold", "does not hold": "do not hold"}
    known = {verdict: count for verdict, count in counts.items() if count}
    return ", ".join(f"{n} {verdict if n == 1 else plural.get(verdict, verdict)}" for verdict, n in known.items())


def side_by_side(ledgers: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the verdicts of several studies beside each other, one row per claim.

    A study may test a claim in several places (networks, attacks) and by several items: if all tests have one verdict
    that is the study's, else they are counted.

    Parameters
    ----------
    ledgers
        By what the study is called.

    Returns
    -------
    DataFrame
        ``paper``, ``item`` (all that test it), ``claim``, a column per study (empty where it does not test the claim),
        and ``agree``: ``yes`` or ``no`` where two studies or more have a verdict other than "cannot be told here", else
        empty.
    """
    keys = ["paper", "item", "claim"]
    every = pd.concat([table[keys] for table in ledgers.values()]).drop_duplicates() if ledgers else pd.DataFrame()
    rows = []
    for (paper, claim), tested in every.groupby(["paper", "claim"], sort=False) if len(every) else ():
        row = {"paper": str(paper), "item": ", ".join(dict.fromkeys(tested["item"])), "claim": str(claim)}
        by_study: dict[str, set[str]] = {}
        for study, frame in ledgers.items():
            own = frame[(frame["paper"] == paper) & (frame["claim"] == claim)]
            verdicts = own.drop_duplicates(list(SAME_TEST))["verdict"].tolist()
            row[study] = verdicts[0] if len(set(verdicts)) == 1 else tally(verdicts)
            by_study[study] = set(verdicts) - {"cannot be told here"}
        known = [decided for decided in by_study.values() if decided]
        row["agree"] = "" if len(known) < 2 else "yes" if len(set().union(*known)) == 1 else "no"
        rows.append(row)
    return pd.DataFrame(rows, columns=[*keys, *ledgers, "agree"])


def ledgers(roots: Sequence[Path]) -> dict[str, pd.DataFrame]:
    """Read the ledger of the newest report of each study under results roots.

    Returns
    -------
    dict
        By the study's name; where two roots have a study of one name, with the root's folder before it.

    Raises
    ------
    FreqmapsError
        No such root, or one without a report.
    """
    paths: dict[tuple[str, str], Path] = {}
    for root in roots:
        reports = [
            result
            for result in scan(root)
            if result.complete and result.manifest and result.manifest["stage"] == "report"
        ]
        reports = [result for result in reports if "claims.csv" in result.sizes]
        if not reports:
            raise StoreError(f"{root}: no study has a report with a ledger of claims here; make one with "
                             "`snakemake -c all report`")  # fmt: skip
        for report in sorted(reports, key=_date):
            paths[str(root), report.path.split("/")[1]] = report.folder / "claims.csv"
    studies = [study for _, study in paths]
    named = {(r, s): s if studies.count(s) == 1 else f"{r}: {s}" for r, s in paths}
    return {named[place]: read(path) for place, path in paths.items()}


def _date(report: KeyedFolder) -> str:
    assert report.manifest is not None
    return str(report.manifest["provenance"].get("date", ""))


def in_columns(table: pd.DataFrame, width: int = 48) -> str:
    """Return what :func:`side_by_side` gives as text: a claim's text, wrapped, beside the verdicts of each study."""
    heads = [*table.columns.drop(["paper", "claim"])]
    cells = [["claim", *(str(h) for h in heads)]]
    for record in table.to_dict("records"):
        wrapped = textwrap.wrap(str(record["claim"]), width) or [""]
        cells.append([wrapped[0], *(str(record[h]) for h in heads)])
        cells += [[line, *[""] * len(heads)] for line in wrapped[1:]]
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells)

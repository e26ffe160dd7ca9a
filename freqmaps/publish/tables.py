"""Helpers that the tables share: one row per setting and attack, the columns that name it, notes on counts."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from freqmaps.core.errors import FreqmapsError
from freqmaps.publish.api import Column
from freqmaps.results.reader import Inputs

NAMES = ("dataset", "model", "training", "seed", "maps", "attack")
#: Columns of ``correlation.csv`` that a row of a table takes over for each metric.
_FIELDS = (
    *("value", "std", "p_value", "error", "low", "high", "n", "n_dropped"),
    *("half", "half_sd", "quarter", "quarter_sd"),
)
NAN = float("nan")


def settings(inputs: Inputs, metrics: Sequence[str], attacks: list[str] | None) -> list[dict[str, Any]]:
    """Return one record per setting and attack: its names, and ``<metric>_<field>`` for each metric.

    Parameters
    ----------
    inputs
        The study's results.
    metrics
        Kinds of metric to take; one that the study lacks is NaN. Of several metrics of one kind, the one
        that the config names like its kind counts, else the first.
    attacks
        Names of attacks, or None for all.

    Raises
    ------
    FreqmapsError
        An attack that has no correlation results, or two results of the same metric for the same row.
    """
    long = inputs.correlations()
    known = list(dict.fromkeys(long["attack"]))
    for attack in attacks or []:
        if attack not in known:
            raise FreqmapsError(f"attack '{attack}' has no correlation results; there are: {', '.join(known)}")
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for record in long.to_dict("records"):
        if record["kind"] not in metrics or (attacks is not None and record["attack"] not in attacks):
            continue
        names = {key: _text(record.get(key)) for key in NAMES}
        row = rows.setdefault(tuple(names.values()), dict(names))
        metric, kind = str(record["metric"]), str(record["kind"])
        if metric == row.get(f"{kind}_metric"):
            raise FreqmapsError(f"two results of metric '{metric}' for {', '.join(names.values())}; keep one")
        if metric == kind or f"{kind}_metric" not in row:
            row |= {f"{kind}_{field}": record.get(field) for field in ("metric", *_FIELDS)}
    if not rows:
        raise FreqmapsError(f"none of the metrics {', '.join(metrics)} was computed; add one to the config")
    return list(rows.values())


def names_of(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the names in a row, those that are empty left out."""
    return {key: str(row[key]) for key in NAMES if row.get(key)}


def attacked(inputs: Inputs, names: Mapping[str, str]) -> float:
    """Return how many images were attacked for this row, NaN if the attack's results are not among the inputs."""
    attacks = inputs.related("attacks", names)
    if not attacks:
        return NAN
    keys = {k: v for k, v in attacks[0].names.items() if k != "range"}
    return float(inputs.adversarial(variables=["label"], **keys).sizes["sample"])


def naming_columns(frame: pd.DataFrame) -> tuple[list[Column], list[str]]:
    """Return the columns that tell rows apart, and a note with the names that all rows share."""
    varying = [key for key in NAMES if frame[key].nunique() > 1 or key == "attack"]
    labels = {"maps": "map setting"}
    constant = [f"{labels.get(k, k)} {frame[k].iloc[0]}" for k in NAMES if k not in varying and frame[k].iloc[0]]
    columns = [Column(key, labels.get(key, key).capitalize()) for key in varying]
    return columns, [f"All rows: {', '.join(constant)}."] if constant else []


def scope_notes(frame: pd.DataFrame, source: str) -> list[str]:
    """Return sentences on what the published columns are and where the scope differs."""
    notes = [f"Published values: {source}."]
    scopes = list(dict.fromkeys(frame["scope"]))
    if len(scopes) == 1:
        return [*notes, f"Scope of every row {_sentence(scopes[0])}."]
    varying = [key for key in NAMES if frame[key].nunique() > 1]
    for scope in scopes:
        rows = frame.loc[frame["scope"] == scope, varying].astype(str)
        called = (", ".join(_called(*pair) for pair in row.items()) for _, row in rows.iterrows())
        notes.append(f"Scope of {'; '.join(called)}: {scope}.")
    return notes


def _called(key: Hashable, value: str) -> str:
    """Write what tells rows apart: a number alone would not say that it is a seed."""
    return f"seed{'s' if ',' in value else ''} {value}" if key == "seed" else value


def _sentence(scope: str) -> str:
    return scope if scope.startswith("differs") else f"– {scope}"


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value)

"""IdCor as made, of cleaned maps and with the released code's constant, side by side: no value stands alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from freqmaps.publish.api import Column
from freqmaps.publish.numbers import number
from freqmaps.publish.tables import NAN

#: The metric of each reading, and what tables call it.
READINGS = {"idcor": "as made", "idcor_cleaned": "cleaned", "idcor_released": "released constant"}
OTHERS = ("idcor_cleaned", "idcor_released")

Row = Mapping[Any, Any]


def reading_columns(error: str = "spread") -> tuple[Column, ...]:
    """Return the columns of the readings other than IdCor as made; ``<reading>_<error>`` is shown behind ±."""
    return tuple(
        column
        for metric in OTHERS
        for column in (
            Column(metric, READINGS[metric], "IdCor", ".3f", error=f"{metric}_{error}"),
            Column(f"{metric}_p_value", f"p, {READINGS[metric]}", "IdCor", ".2g", paper=False),
        )
    )


def readings(row: Row) -> dict[str, Any]:
    """Return the values and p-values of the other readings of a row of correlations."""
    return {m: row.get(f"{m}_value", NAN) for m in OTHERS} | {
        f"{m}_p_value": row.get(f"{m}_p_value", NAN) for m in OTHERS
    }


def sentences(rows: Iterable[tuple[str, Row]]) -> list[str]:
    """Say of each named row whether the sign of IdCor depends on how small entries of maps are treated.

    Parameters
    ----------
    rows
        Names, and rows with ``idcor``, ``p_value`` and what :func:`readings` gives.
    """
    notes = []
    for name, row in rows:
        values = {"idcor": row["idcor"]} | {m: row[m] for m in OTHERS}
        p_values = {"idcor": row["p_value"]} | {m: row[f"{m}_p_value"] for m in OTHERS}
        known = {m: v for m, v in values.items() if v == v}
        if "idcor" not in known or len(known) < 2:
            continue
        parts = ", ".join(f"{READINGS[m]} {signed(v)} (p {p_values[m]:.2g})" for m, v in known.items())
        same = len({v > 0 for v in known.values()}) == 1
        verdict = (
            "its sign is the same"
            if same
            else "its sign depends on how entries just above 0 are treated, so that no one value stands for the maps"
        )
        notes.append(f"IdCor{f' of {name}' if name else ''}: {parts}; {verdict}.")
    if notes:
        notes.append(
            "Cleaned: entries of maps below 1e-3, which the last steps of Adam leave, are set to 0. Released constant: "
            "the authors' code adds 1e-6 to each feature's standard deviation."
        )
    return notes


def signed(value: float) -> str:
    """Return a number with its sign and two decimals, with a true minus."""
    return number(value, "+.2f")

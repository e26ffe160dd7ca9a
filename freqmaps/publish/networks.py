"""Networks that differ by their training seed alone, in one row: means, and how far the networks lie apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any, TypeVar

import pandas as pd

from freqmaps.inference.verdicts import Claim
from freqmaps.publish.api import Column, Figure, Table
from freqmaps.publish.tables import NAMES, NAN, names_of
from freqmaps.results.reader import Inputs

Row = dict[str, Any]
Shown = TypeVar("Shown", Table, Figure)

#: Of several networks' figures that are no means over images, the one that promises least.
_CAUTIOUS = {"p_value": max, "n": min, "n_dropped": max}
_MEANS = ("value", "std", "error", "low", "high", "half", "half_sd", "quarter", "quarter_sd")


def over_networks(rows: Sequence[Row], metrics: Sequence[str]) -> list[Row]:
    """Return one row per setting and attack, whatever the number of training seeds.

    Parameters
    ----------
    rows
        As :func:`freqmaps.publish.tables.settings` gives them.
    metrics
        Kinds of metric in them.

    Returns
    -------
    list of dict
        Those rows; ``seed`` lists all seeds, ``seeds`` is their list, ``networks`` their number. Of several networks
        each field is the mean, but for ``p_value`` and ``n_dropped`` (the largest) and ``n`` (the smallest). For each
        metric ``<metric>_networks_sd`` (n - 1; NaN of one network), ``<metric>_each`` (their values, as text) and
        ``<metric>_spread``, what stands behind ±: of several networks that standard deviation, of one its sampling
        error.
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in NAMES if key != "seed"), []).append(row)
    return [_merged(sorted(group, key=_seed), metrics) for group in groups.values()]


def with_networks(output: Shown, inputs: Inputs) -> Shown:
    """Return an item whose claims say on how many networks they rest, where they did not say so themselves.

    An item whose claims speak of several trainings rests on as many networks as the training with the fewest seeds has.
    """
    fewest = _fewest(inputs)
    notes = [note.resting_on(fewest) if isinstance(note, Claim) else note for note in output.notes]
    if isinstance(output, Figure):
        return replace(output, notes=notes)
    return replace(output, notes=notes, claims=[claim.resting_on(fewest) for claim in output.claims])


def _fewest(inputs: Inputs) -> int | None:
    seeds: dict[tuple[str, ...], set[str]] = {}
    for result in inputs.results:
        if "seed" in result.names:
            place = tuple(result.names.get(name, "") for name in ("dataset", "model", "training"))
            seeds.setdefault(place, set()).add(result.names["seed"])
    return min(map(len, seeds.values()), default=None)


def names_of_each(row: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the names of each network's results of a row."""
    return [names_of({**row, "seed": seed}) for seed in row["seeds"]]


def fewer_columns(metric: str, group: str) -> tuple[Column, ...]:
    """Return the columns with a metric's mean on halves and on quarters of the images, ± their standard deviation."""
    return tuple(
        Column(f"{metric}_{size}", label, group, ".3f", error=f"{metric}_{size}_sd", paper=False)
        for size, label in (("half", "at n/2"), ("quarter", "at n/4"))
    )


def resampled(row: Mapping[str, Any], metric: str) -> Row:
    """Return the columns of a table that tell how far a metric's value can be trusted."""
    fields = ("error", "low", "high", "networks_sd", "each", "spread", "half", "half_sd", "quarter", "quarter_sd")
    return {f"{metric}_{field}": row.get(f"{metric}_{field}", "" if field == "each" else NAN) for field in fields}


def notes(frame: pd.DataFrame) -> list[str]:
    """Return what ± means in a table whose rows may stand for several networks."""
    several = frame["networks"] > 1
    fewer = [
        "At n/2 and n/4 (in the report and the CSV): the mean over disjoint halves and quarters of the images, drawn "
        "several times, ± the standard deviation over them."
    ]
    fewer = fewer if any(frame[c].notna().any() for c in frame if str(c).endswith("_half")) else []
    if not several.any():
        single = "One network per row: ± is the sampling error over images, and nothing says how networks differ."
        return [single, *fewer]
    where = "" if several.all() else f"Rows of several seeds ({', '.join(frame.loc[several, 'attack'])}): "
    means = (
        f"{where}{'M' if several.all() else 'm'}eans over {_counts(frame.loc[several, 'networks'])} networks, ± their "
        "standard deviation; p and dropped images: the largest, images: the smallest number; each network's value is "
        "in the CSV."
    )
    return [means, *([] if several.all() else ["Other rows: one network, ± its sampling error over images."]), *fewer]


def _counts(networks: pd.Series) -> str:
    low, high = int(networks.min()), int(networks.max())
    return str(low) if low == high else f"{low} to {high}"


def _seed(row: Row) -> tuple[int, str]:
    """Order seeds as numbers, and what is none (a given checkpoint has no seed) first."""
    return (int(row["seed"]) if row["seed"].isdigit() else -1, row["seed"])


def _merged(group: Sequence[Row], metrics: Sequence[str]) -> Row:
    merged = dict(group[0])
    merged |= {"seeds": [row["seed"] for row in group], "networks": len(group)}
    merged["seed"] = ", ".join(merged["seeds"])
    for metric in metrics:
        if any(f"{metric}_value" in row for row in group):
            merged |= _metric(group, metric)
    return merged


def _metric(group: Sequence[Row], metric: str) -> Row:
    def known(field: str) -> list[Any]:
        entries = (row.get(f"{metric}_{field}") for row in group)
        return [v for v in entries if v is not None and v == v]

    merged: Row = {f"{metric}_{field}": fmean(v) if (v := known(field)) else NAN for field in _MEANS}
    merged |= {f"{metric}_{f}": choose(v) if (v := known(f)) else NAN for f, choose in _CAUTIOUS.items()}
    values = known("value")
    spread = float(stdev(values)) if len(values) > 1 else NAN
    return merged | {
        f"{metric}_networks_sd": spread,
        f"{metric}_each": "; ".join(f"{v:.6g}" for v in values) if len(group) > 1 else "",
        f"{metric}_spread": merged[f"{metric}_error"] if len(group) == 1 else spread,
    }

"""Theorems 1 to 4 of F21: what each claims, what random two-layer networks do, and whether the two agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf
from typing import Any

import pandas as pd

from freqmaps.core.errors import FreqmapsError
from freqmaps.inference.verdicts import Claim, Interval, finding
from freqmaps.papers.f21._theorem_claims import CLAIMS
from freqmaps.publish.api import Column, Table
from freqmaps.publish.ledger import tally
from freqmaps.results.reader import Inputs

TITLE = "Theorems 1 to 4, checked on random two-layer networks"
CAPTION = (
    "Each network has random weights, a signal of its own with a power-law spectrum and random phases, and is trained "
    "on it by gradient descent on squared loss; the outer layer is fixed. τ: the part of the energy of an input "
    "gradient or a perturbation that lies at low frequencies. Measured: the proportion of draws in which a claim is "
    "true, with Wilson's 95 % interval; for orders of errors, errors, and shares of steps or pairs the mean over draws "
    "with its 95 % interval. Order of the error: slope of its logarithm against that of the learning rate (equation 9) "
    "or of the radius (equation 20). The verdict compares the interval, over the draws in which the theorem's "
    "assumptions hold, with what is claimed. Assumption 1 is looked at until the minimum of the loss is reached: under "
    "squared loss ∂ℓ/∂f tends to 0, and it cannot hold for ever."
)
KIND = "table"
NEEDS = ("simulation",)
SIMULATIONS = ("two_layer_theorems",)
RANGES = {"share": "(0, 1)", "slack": "[0, 1)"}

Row = dict[Any, Any]

_NAMES = {"relu": "ReLU"}
_SUBJECTS = {"units": "Hidden units"}
_PLACE = ["simulation", "theorem", "measure", "activation"]
_AMONG = {"assumptions": "", "all": "all_", "unsaid": "needed_"}
_SHOWN = (
    Column("theorem", "Theorem"), Column("claim", "Claim"), Column("activation", "Activation"),
    Column("predicted", "claimed", form=".0f"),
    Column("value", "measured", "Assumptions hold", ".3f"), Column("low", "from", "Assumptions hold", ".3f"),
    Column("high", "to", "Assumptions hold", ".3f"), Column("n", "draws", "Assumptions hold", "d"),
    Column("verdict", "verdict", "Assumptions hold"),
    Column("all_value", "measured", "All draws", ".3f"), Column("all_n", "draws", "All draws", "d"),
    Column("needed_value", "measured", "What the formulas need holds, too", ".3f", paper=False),
    Column("needed_n", "draws", "What the formulas need holds, too", "d", paper=False),
    Column("needed_verdict", "verdict", "What the formulas need holds, too", paper=False),
    Column("settings_low", "least", "Measured by setting, all draws", ".3f", paper=False),
    Column("settings_high", "most", "Measured by setting, all draws", ".3f", paper=False),
    Column("settings", "settings", "Measured by setting, all draws", "d", paper=False),
)  # fmt: skip


def build(inputs: Inputs, *, share: float = 0.95, slack: float = 0.1) -> Table:
    """Build the table, one row per claim and activation.

    Parameters
    ----------
    inputs
        The study's results.
    share
        A claim about every draw, step or pair holds if the interval of its proportion lies above this number.
    slack
        An error is of second order if the interval of its slope lies above 2 less this number.

    Returns
    -------
    Table
        ``value``, ``low``, ``high``, ``n`` and ``verdict`` over the draws in which the theorem's assumptions hold;
        with ``all_``, over all draws; with ``needed_``, over those in which also what the formulas need holds.
        ``settings_low`` and ``settings_high``: the least and the largest measured number among the ``settings``
        (combinations of scale, exponent, width and rate) that have one, all draws counted. No verdict where the theorem
        gives no tolerance.

    Raises
    ------
    FreqmapsError
        The study has no such simulation.
    """
    rows = inputs.simulations("two_layer_theorems")
    if rows.empty:
        raise FreqmapsError("F21-TH: the study has no simulation of kind 'two_layer_theorems'; add one to simulations")
    claims = rows[rows["predicted"].notna()]
    frame = pd.DataFrame([_row(place, group, share, slack) for place, group in claims.groupby(_PLACE, sort=False)])
    frame = frame.sort_values("theorem", kind="stable", ignore_index=True)
    several = rows["simulation"].nunique() > 1
    notes = [note for name, own in rows.groupby("simulation", sort=False) for note in _notes(str(name), own, several)]
    shown = [Column("simulation", "Simulation"), *_SHOWN] if several else list(_SHOWN)
    told = list(_claims(frame))
    notes = [*_scope(inputs), _verdicts(frame, share), *notes]
    return Table(frame, notes, shown, told, finding=_in_short(told, frame))


def _claims(frame: pd.DataFrame) -> Iterator[Claim]:
    """Yield the claims of the theorems in draws that meet the assumptions, with the activation as their place.

    Rows that are readings of our own stay in the table and make no claim. An activation with which no draw meets the
    assumptions is passed over where another one has such draws: the theorem does not speak of it.
    """
    several = frame["simulation"].nunique() > 1
    for said in CLAIMS:
        rows = frame[(frame["theorem"] == said.theorem) & (frame["claim"] == said.measure) & (frame["verdict"] != "")]
        rows = rows[rows["activation"] == "ReLU"] if said.relu_alone else rows
        for row in (rows[rows["n"] > 0] if (rows["n"] > 0).any() else rows).to_dict("records"):
            place = f"{row['simulation']}, {row['activation']}" if several else str(row["activation"])
            yield Claim(
                said.claim, row["verdict"], _evidence(row), section=said.section, reported=said.reported,
                low=row["low"], high=row["high"], n=int(row["n"]), place=place,
            )  # fmt: skip


def _evidence(row: Row) -> str:
    if pd.isna(row["value"]):
        return "the theorem's assumptions hold in no draw"
    where = "the draws in which the theorem's assumptions hold"
    if row["predicted"] != 1.0:
        return f"the error is of order {row['value']:.2f} ({row['low']:.2f} to {row['high']:.2f}), mean over {where}"
    share, low, high = (f"{100 * min(row[key], 1.0):.1f}" for key in ("value", "low", "high"))
    of = next((f"of {unit} " for unit in ("steps", "pairs") if f"share of {unit}" in row["claim"]), "")
    if of:
        return f"{share} % {of}({low} to {high}), mean over {where}"
    return f"{share} % ({low} to {high}) of {where}"


def _in_short(claims: Sequence[Claim], frame: pd.DataFrame) -> str:
    """Say in one sentence how many claims hold with each activation, and with which the theorems say nothing."""
    by_place: dict[str, list[str]] = {}
    for claim in claims:
        by_place.setdefault(claim.place, []).append(claim.verdict)
    told = [f"{place}: {tally(verdicts)}" for place, verdicts in by_place.items()]
    held = frame.groupby("activation", sort=False)["n"].max()
    none = [str(name) for name in held.index if held[name] == 0]
    without = f"; with {' and '.join(none)} the assumptions hold in no draw" if none else ""
    if not told:
        return "The simulation looks at no claim of the theorems."
    return f"Claims of the theorems, by activation: {'; '.join(told)}{without}."


def _row(place: Any, group: pd.DataFrame, share: float, slack: float) -> Row:
    together, single = group[group["scale"] == "all"], group[(group["scale"] != "all") & (group["among"] == "all")]
    row: Row = dict(zip(_PLACE, place, strict=True))
    row = {"simulation": row["simulation"], "theorem": str(row["theorem"]), "claim": row.pop("measure")} | row
    row["theorem"] = str(row["theorem"])
    row["activation"] = _NAMES.get(row["activation"], row["activation"])
    row["predicted"] = predicted = float(group["predicted"].iloc[0])
    for record in together.to_dict("records"):
        start = _AMONG[record["among"]]
        row |= {f"{start}{key}": record[key] for key in ("value", "low", "high")}
        row |= {f"{start}n": int(record["n"]), f"{start}verdict": _finding(record, predicted, share, slack)}
    by_setting = {"settings_low": single["value"].min(), "settings_high": single["value"].max()}
    return row | by_setting | {"settings": int(single["value"].notna().sum())}


def _finding(row: Row, predicted: float, share: float, slack: float) -> str:
    """Return the verdict on a measured number; nothing where the claim has no tolerance."""
    regions: dict[float, Interval] = {1.0: (share, 1.0), 2.0: (2 - slack, inf)}
    if predicted not in regions:
        return ""
    # Means of proportions have intervals that may reach beyond 1.
    interval = (row["low"], min(row["high"], 1.0) if predicted == 1.0 else row["high"])
    return finding([interval], regions[predicted])


def _scope(inputs: Inputs) -> list[str]:
    """Say what was drawn, in the words of the simulation's parameters."""
    notes = []
    for result in inputs.select("simulation"):
        _, p = result.component("simulation") or ("", {})
        listed = {key: ", ".join(f"{v:g}" for v in p[key]) for key in ("scales", "alphas", "widths", "rates")}
        notes.append(
            f"Simulation {result.names['simulation']}: {p['draws']} networks for every combination of three "
            f"activations, scale of the signal {listed['scales']}, exponent α {listed['alphas']}, width "
            f"{listed['widths']} and learning rate {listed['rates']} (as the largest part of ∂ℓ/∂f that a step may "
            f"remove); signals of {p['dimension']} entries, low frequencies up to {p['cutoff']}, {p['steps']} steps; "
            f"PGD with radius {p['epsilon']:g} of the signal's norm and {p['iterations']} iterations."
        )
    return notes


def _verdicts(frame: pd.DataFrame, share: float) -> str:
    parts = []
    for theorem, group in frame[frame["verdict"] != ""].groupby("theorem"):
        counts = group["verdict"].value_counts()
        tally = [f"{counts.get(v, 0)} {v}" for v in ("holds", "does not hold", "cannot be told here")]
        parts.append(f"theorem {theorem}: {', '.join(tally)}")
    return (
        f"Verdicts, by claim and activation: {'; '.join(parts)}. A claim about every draw, step or pair holds if the "
        f"interval lies above {100 * share:g} %."
    )


def _notes(name: str, rows: pd.DataFrame, several: bool) -> Iterator[str]:
    """Yield sentences on the assumptions and on what was measured beside the claims."""
    start, whole = f"{name}: " if several else "", rows[(rows["scale"] == "all") & (rows["among"] == "all")]
    held = whole[whole["theorem"].isin(["assumptions", "unsaid"])]
    always = [str(m) for m, own in held.groupby("measure", sort=False) if (own["value"] == 1).all()]
    if always:
        yield f"{start}Hold in every draw: {', '.join(always)}."
    for measure, own in held.groupby("measure", sort=False):
        if measure not in always:
            listed = [f"{_name(r)} {round(r['value'] * r['n'])} of {r['n']}" for r in own.to_dict("records")]
            yield f"{start}Draws in which “{measure}” holds: {', '.join(listed)}."
    beside = whole[whole["predicted"].isna() & ~whole["theorem"].isin(["assumptions", "unsaid"])]
    for _, own in beside.groupby(["theorem", "measure"], sort=False):
        theorem, measure = (str(own[key].iloc[0]) for key in ("theorem", "measure"))
        listed = [f"{_name(r)} {r['value']:.3g} ({r['low']:.3g} to {r['high']:.3g})" for r in own.to_dict("records")]
        yield f"{start}{_SUBJECTS.get(theorem, f'Theorem {theorem}')}, {measure}: {', '.join(listed)}."


def _name(row: Row) -> str:
    return _NAMES.get(row["activation"], str(row["activation"]))

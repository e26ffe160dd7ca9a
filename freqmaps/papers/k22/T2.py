"""Table 2 of Karantzas et al.: accuracy on clean and attacked images, through their maps and the maps' complements."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pandas as pd

from freqmaps.core.images import ESSENTIAL, called
from freqmaps.inference.intervals import paired_change
from freqmaps.inference.verdicts import placed, trend
from freqmaps.papers.k22._regimes import described
from freqmaps.papers.k22._single import (
    Evaluation,
    Keyed,
    Row,
    evaluations,
    keyed,
    map_names,
    naming,
    network_of,
    of_one,
)
from freqmaps.publish.api import Column, Table
from freqmaps.publish.numbers import number, percent
from freqmaps.publish.published import beside, published
from freqmaps.results.reader import Inputs

TITLE = "Accuracy on images and attacked images, seen through single-image maps"
CAPTION = (
    "What the network predicts for clean images x and to the same images attacked, x_A, unfiltered and filtered by the "
    "map of each image. The images are those that the network has right and on which the attack succeeded, so that "
    "without a filter it is right on every x and on no x_A, by choice. Intervals are Wilson's, 95 %. Not in the paper: "
    "the complement on x_A, the map of another image (of the same or of another class, drawn at random), the own map "
    "with its entries at random frequencies, and networks other than the natural one. Binary maps have every entry "
    "above 0 set to 1: so the released code leaves its stored maps when it has made complements."
)
KIND = "table"
NEEDS = ("evaluation", "attacks", "maps", "training", "datasets")
EVALUATIONS = ("filtered_accuracy",)
DATA = ("published.yaml",)

_FILTERS = {
    "none": "none", "map": "own map", "complement": "complement of it", "same class": "map of another of its class",
    "other class": "map of another class", "shuffled": "own map, shuffled",
}  # fmt: skip
_PUBLISHED = {"none": ("x", "x_A"), "map": ("map_x", "map_x_A"), "complement": ("complement_x", "")}
_KIND = "filtered_accuracy"


def build(inputs: Inputs) -> Table:
    """Build the table, one row per network, attack and filter.

    Returns
    -------
    Table
        For data ``x`` and ``x_A``: the accuracy in [0, 1], ``_low``, ``_high``, ``_n`` and the published value;
        ``x_A_own``, ``_low``, ``_high``: how much more the own map gets right on x_A, with Tango's paired interval;
        ``scope``, what differs from the paper's setting.
    """
    every = evaluations(inputs, _KIND)
    cases = [(e, attack, rows) for e in every for attack, rows in e.rows.groupby("attack", sort=False)]
    records = [record for e, attack, rows in cases for record in _records(inputs, e, str(attack), rows)]
    frame = pd.DataFrame(records)
    varying, notes = naming(records, ("attack",))
    notes.append(described({e.names["training"]: e.regime for e in every}))
    entry = published("K22-T2")
    for e, attack, rows in cases:
        notes += _notes(e, network_of(e, every), str(attack), rows, entry["trend"])
    scopes = dict.fromkeys(frame.loc[frame["scope"] != "", "scope"])
    notes += [f"Published values: {entry['source']}.", *(f"Scope of {scope}." for scope in scopes)]
    return Table(frame, notes, [*_naming_columns(frame, varying), *_data_columns(frame)])


def _records(inputs: Inputs, e: Evaluation, attack: str, rows: pd.DataFrame) -> list[dict[str, Any]]:
    by = keyed(rows, "filter", "data")
    against = str(rows["against"].iloc[0])
    images = map_names(e, attack, against)
    ours = {
        key: float(by[name, data]["value"])
        for name, keys in _PUBLISHED.items()
        for key, data in zip(keys, ("x", "x_A"), strict=True)
        if key
    }
    names = {**e.place, "maps": str(e.parameters["maps"]), **images, "attack": attack}
    row = e.regime.letter if images["images"] == ESSENTIAL else ""
    columns = beside("K22-T2", inputs, names, ours | {"n": float(by["none", "x"]["n"])}, row=row)
    scope = columns["scope"] if row == "N" else ""
    place = {
        **names,
        "reading": _reading(e),
        "mapped": called(images),
        "against": against,
        "network": e.label,
    }
    return [
        place | {"filter": name} | _values(by, name, columns) | {"scope": f"{e.label}: {scope}" if scope else ""}
        for name in _FILTERS
    ]


def _reading(e: Evaluation) -> str:
    return str(e.parameters.get("reading", "made"))


def _values(by: Keyed, name: str, columns: dict[str, Any]) -> dict[str, Any]:
    record: dict[str, Any] = {"filtered_by": _FILTERS[name]}
    for data, key in zip(("x", "x_A"), _PUBLISHED.get(name, ("", "")), strict=True):
        row = by[name, data]
        record |= {data: row["value"], f"{data}_low": row["low"], f"{data}_high": row["high"], f"{data}_n": row["n"]}
        record[f"published_{data}"] = columns[f"published_{key}"] if key else nan
    row = by[name, "x_A"]
    own = paired_change(int(row["gained"]), int(row["lost"]), int(row["n"]))
    return record | {"x_A_own": own.change, "x_A_own_low": own.low, "x_A_own_high": own.high}


def _notes(e: Evaluation, network: str, attack: str, rows: pd.DataFrame, bounds: dict[str, float]) -> list[str]:
    by, some = keyed(rows, "filter", "data"), rows.iloc[0]
    n = int(by["none", "x"]["n"])
    transferred = e.parameters.get("images", ESSENTIAL) != ESSENTIAL
    start = f"{network}, {attack}" + (
        f" made against {some['against']}" if some["against"] != e.place["training"] else ""
    )
    start += ", maps of x_A" if transferred else ""
    start += ", binary maps" if _reading(e) == "binary" else ""
    without = (
        "it takes the attacked image for another class, or the attack had failed"
        if transferred
        else "it has them wrong"
    )
    own = some["against"] == e.place["training"]
    unmapped, unused = int(some["unmapped"]), int(some["unused"])
    notes = [
        f"{start}: {n} images; left out are {unmapped} without a map ({without}) and {unused} with one on which the "
        f"attack failed{'' if own else ' or which its own network had wrong anyway'}."
    ]
    if n and e.regime.letter == "N" and not transferred:
        notes += placed(start, _trends(by, bounds))
    return notes


def _trends(by: Keyed, bounds: dict[str, float]) -> list[str]:
    reverted, complement = by["map", "x_A"], by["complement", "x"]
    others = [
        f"{_points(change.change)} points more than {what} ({_points(change.low)} to {_points(change.high)})"
        for name, what in (
            ("same class", "another image's of its class"),
            ("shuffled", "its entries at random frequencies"),
        )
        for row in [by[name, "x_A"]]
        for change in [paired_change(int(row["gained"]), int(row["lost"]), int(row["n"]))]
    ]
    return [
        trend(
            f"the map of x brings back more than {100 * bounds['map_x_A']:g} % of the attacked images",
            [(reverted["low"], reverted["high"])],
            of_one(f"{_percent(reverted)}; of the same x_A the own map gets {' and '.join(others)} right"),
            region=(bounds["map_x_A"], inf),
            section="3.2, table 2",
            reported="about 60 %",
            n=int(reverted["n"]),
            networks=1,
        ),
        trend(
            f"without the map's frequencies the accuracy falls, to {100 * bounds['complement_x']:g} % or less",
            [(complement["low"], complement["high"])],
            of_one(f"{_percent(complement)} on M^c(x)"),
            region=(-inf, bounds["complement_x"]),
            section="3.2, table 2",
            reported="54.4 %",
            n=int(complement["n"]),
            networks=1,
        ),
    ]


def _percent(row: Row) -> str:
    return percent(row["value"], row["low"], row["high"])


def _points(share: float) -> str:
    return number(100 * share, ".1f")


def _naming_columns(frame: pd.DataFrame, varying: list[str]) -> list[Column]:
    shown = [Column(key, key.capitalize()) for key in varying if key != "training"]
    several, readings = (frame[name].nunique() > 1 for name in ("images", "reading"))
    return [
        *shown,
        Column("network", "Network"),
        *([Column("images", "Images mapped")] if several else []),
        *([Column("reading", "Maps")] if readings else []),
        Column("filtered_by", "Filter"),
    ]


def _data_columns(frame: pd.DataFrame) -> list[Column]:
    columns = []
    for data in ("x", "x_A"):
        group = f"On {data}, %"
        columns += [Column(data, "ours", group, ".1f", scale=100)]
        columns += [
            Column(f"{data}_{end}", title, group, ".1f", scale=100) for end, title in (("low", "from"), ("high", "to"))
        ]
        columns.append(Column(f"published_{data}", "paper", group, ".1f", published=True, scale=100))
    return [c for c in [*columns, Column("x_n", "Images", form="d")] if not frame[c.name].isna().all()]

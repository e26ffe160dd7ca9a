"""Correlations by pairing, and what one pairing's correlation of the same images has more than another's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from freqmaps.core.errors import FreqmapsError
from freqmaps.inference.estimates import Difference, paired_difference
from freqmaps.publish.tables import NAMES, settings
from freqmaps.results.reader import Inputs

#: Kinds of pairing in the order of tables: the question, then the controls.
ORDER = ("matched", "same_class", "other_class", "random_bands", "other_network", "noise")
#: The attack's name where two networks are compared on clean images.
NO_ATTACK = "none"

#: What metrics are called in print.
LABELS = {
    "cosine": "Cosine",
    "svcca": "SVCCA",
    "idcor": "IdCor, as made",
    "idcor_cleaned": "IdCor, cleaned",
    "idcor_released": "IdCor, released constant",
    "svcca_released": "SVCCA, as released",
    "linear_cka": "CKA",
    "distance_correlation": "dCor",
}

Row = dict[str, Any]


def kinds(inputs: Inputs) -> dict[str, str]:
    """Return the kind of each pairing in the study, by the name that the config gives it."""
    by_name = {}
    for result in inputs.select("matrices"):
        kind, _ = result.component("pairing") or ("", {})
        by_name[result.names["pairing"]] = kind
    return {name: kind for name, kind in by_name.items() if kind in ORDER}


def rows(inputs: Inputs, metrics: Sequence[str], attacks: list[str] | None) -> list[Row]:
    """Return one record per setting, attack and pairing, as :func:`freqmaps.publish.tables.settings` does.

    They also have ``pairing`` (its name) and ``control`` (its kind), and come by setting and attack, in the order of
    :data:`ORDER`; what compares networks without an attack comes with the attack ``none``, last.

    Raises
    ------
    FreqmapsError
        None of the metrics was computed.
    """
    records: list[Row] = []
    for name, kind in kinds(inputs).items():
        correlations = inputs.select("correlation", pairing=name)
        some = Inputs([r for r in correlations if (r.component("metric") or ("",))[0] in metrics])
        if not some.results:
            continue
        wanted = [r for r in settings(some, metrics, None) if not attacks or r["attack"] in (*attacks, NO_ATTACK)]
        records += [row | {"pairing": name, "control": kind} for row in wanted]
    if not records:
        raise FreqmapsError(f"none of the metrics {', '.join(metrics)} was computed; add one to the config")
    places = {place(row): i for i, row in reversed(list(enumerate(records)))}
    seen = {row["attack"]: i for i, row in reversed(list(enumerate(records)))} | {NO_ATTACK: len(records)}
    return sorted(records, key=lambda r: (places[place(r)], seen[r["attack"]], ORDER.index(r["control"])))


def place(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what names a row's network and maps: all but the attack."""
    return tuple(row[key] for key in NAMES[:-1])


def cases(every: Sequence[Row]) -> dict[tuple[Any, ...], dict[str, Row]]:
    """Return the rows that stand beside each matched one (its setting and attack), by kind of pairing.

    What compares networks without an attack stands beside every attack. Of several of one kind the first counts.
    """
    groups: dict[tuple[Any, ...], dict[str, Row]] = {}
    for own in (row for row in every if row["control"] == "matched"):
        beside = [r for r in every if place(r) == place(own) and r["attack"] in (own["attack"], NO_ATTACK)]
        groups.setdefault((place(own), own["attack"]), {row["control"]: row for row in reversed(beside)})
    return groups


def per_image(inputs: Inputs, row: Mapping[str, Any], metric: str) -> pd.Series:
    """Return a metric's value for each image of a row, by sample; empty if the row has no such metric, or no value."""
    name = row.get(f"{metric}_metric")
    if name is None or row[f"{metric}_value"] != row[f"{metric}_value"]:
        return pd.Series(dtype=np.float64)
    names = {key: row[key] for key in (*NAMES, "pairing") if row[key]}
    frame = inputs.per_sample(name, **names)
    return pd.Series(frame["value"].to_numpy(np.float64), index=frame["sample"]).dropna()


def difference(one: pd.Series, other: pd.Series) -> Difference | None:
    """Return what ``one`` has more than ``other`` over the images of both; None below 3 images."""
    both = one.index.intersection(other.index)
    return paired_difference(one[both].to_numpy(), other[both].to_numpy())

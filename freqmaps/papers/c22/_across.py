"""What the measurements of all four papers say of one network: the quantities of C22-X2 and C22-X3.

A quantity that a study does not have of a network is NaN. Of several map settings, attacks and evaluations of a kind
the one counts that most networks have, so that all networks are measured alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import nan, sqrt
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqmaps.inference.estimates import Z95, Estimate
from freqmaps.papers.c22._corruptions import KIND as CORRUPTIONS
from freqmaps.papers.c22._corruptions import error_interval, settings
from freqmaps.papers.c22._networks import PLACE, Case, cases, label
from freqmaps.publish.tables import NAN
from freqmaps.results.reader import Inputs, Result
from freqmaps.spectra.profiles import low_share

NOTHING = Estimate(nan, nan, nan)
Names = Mapping[str, str]


@dataclass(frozen=True)
class Network:
    """One network.

    Attributes
    ----------
    case
        Its Jacobians.
    called
        What to call its training.
    values
        Each quantity with its 95 % interval over images, by its name in :data:`QUANTITIES`.
    """

    case: Case
    called: str
    values: Mapping[str, Estimate]


@dataclass(frozen=True)
class Quantity:
    """One of the quantities.

    Attributes
    ----------
    label
        What to call it in a sentence and beside an axis.
    head, group
        Its column's header, and the one that it shares with its neighbours.
    read
        From the study's results and a network to its value.
    scale
        Factor from the value to what is shown.
    form
        A format specification.
    """

    label: str
    head: str
    read: Callable[[Inputs, Case], Estimate]
    scale: float = 1
    form: str = ".2f"
    group: str = ""


def networks(inputs: Inputs) -> list[Network]:
    """Return the networks whose Jacobians were measured, in the paper's order.

    Raises
    ------
    FreqmapsError
        There is none.
    """
    every = cases(inputs)
    used = Inputs(_alike(inputs, every))
    return [
        Network(case, label(every, case), {name: quantity.read(used, case) for name, quantity in QUANTITIES.items()})
        for case in every
    ]


def chosen(inputs: Inputs) -> dict[str, str]:
    """Return which map setting, attack and evaluations count, by what they are; what the study lacks is left out."""
    return _names(inputs, cases(inputs))


def _alike(inputs: Inputs, every: Sequence[Case]) -> list[Result]:
    """Return the results to read: of map settings, attacks and evaluations of a kind, those that most networks have."""
    names = _names(inputs, every)

    def wanted(result: Result) -> bool:
        own = result.names
        if result.stage == "evaluation":
            return own["evaluation"] == names.get(_kind(result))
        if result.stage == "group_maps":
            return own["group_maps"] == names.get("mask")
        if result.stage in ("maps", "correlation"):
            clean = own.get("images") == "essential"
            return own["maps"] == names.get("maps") and (clean or own["attack"] == names.get("attack"))
        return True

    return [result for result in inputs.results if wanted(result)]


def _names(inputs: Inputs, every: Sequence[Case]) -> dict[str, str]:
    places = [case.names for case in every]
    mine = [r for r in inputs.results if "step" not in r.names and any(_is(r.names, place) for place in places)]
    most_common = {"mask": _most([r.names["group_maps"] for r in mine if r.stage == "group_maps"])}
    most_common["maps"] = _most([r.names["maps"] for r in mine if r.stage == "maps"])
    of_setting = [r.names for r in mine if r.stage == "maps" and r.names["maps"] == most_common["maps"]]
    most_common["attack"] = _most([names["attack"] for names in of_setting if names["images"] == "adversarial"])
    evaluations = [r for r in mine if r.stage == "evaluation"]
    for kind in dict.fromkeys(_kind(r) for r in evaluations):
        most_common[kind] = _most([r.names["evaluation"] for r in evaluations if _kind(r) == kind])
    return {what: name for what, name in most_common.items() if name}


def _most(names: Sequence[str]) -> str:
    return Counter(names).most_common(1)[0][0] if names else ""


def _is(names: Names, place: Names) -> bool:
    return all(names.get(key) == name for key, name in place.items())


def _kind(result: Result) -> str:
    return (result.component("evaluation") or ("",))[0]


def _bias(averaged: str) -> Callable[[Inputs, Case], Estimate]:
    def read(inputs: Inputs, case: Case) -> Estimate:
        row = case.row(averaged)
        return Estimate(*(float(row[key]) for key in ("value", "low", "high")))

    return read


def _maps(images: str) -> Callable[[Inputs, Case], Estimate]:
    """Return the reader of the mean share of low frequencies in maps of a kind of images."""

    def read(inputs: Inputs, case: Case) -> Estimate:
        own = {"against": "self"} if images == "adversarial" else {}
        results = inputs.select("maps", **case.names, images=images, **own)
        if not results:
            return NOTHING
        names = {key: name for key, name in results[0].names.items() if key != "range"}
        planes = inputs.maps(**names, variables=["map"])["map"].values.astype(np.float64)
        return _mean(low_share(planes**2).mean(axis=1)) if len(planes) else NOTHING

    return read


def _mask(inputs: Inputs, case: Case) -> Estimate:
    """Return the share of low frequencies in the mask of all images."""
    results = inputs.select("group_maps", **case.names, images="essential")
    store = inputs.group_maps(**results[0].names) if results else None
    rows = [] if store is None else [i for i, name in enumerate(store["group"].values) if name.startswith("all")]
    if store is None or not rows:
        return NOTHING
    plane = store["map"].values[rows[0]].astype(np.float64)
    return Estimate(float(low_share(plane**2).mean()), nan, nan)


def _evaluated(kind: str, choose: Callable[[pd.DataFrame, Case], pd.DataFrame]) -> Callable[[Inputs, Case], Estimate]:
    """Return the reader of one row of an evaluation's table."""

    def read(inputs: Inputs, case: Case) -> Estimate:
        results = [r for r in inputs.select("evaluation", **case.names) if _kind(r) == kind]
        rows = choose(Inputs(results).evaluations(kind), case) if results else pd.DataFrame()
        return _estimate(rows.to_dict("records")[0]) if len(rows) else NOTHING

    return read


def _perturbations(rows: pd.DataFrame, case: Case) -> pd.DataFrame:
    return rows[(rows["measure"] == "lfc_ratio") & (rows["attack"] == "pgd")]


def _robust(rows: pd.DataFrame, case: Case) -> pd.DataFrame:
    return rows[(rows["measure"] == "accuracy") & (rows["attack"] == "pgd")]


def _low_passed(rows: pd.DataFrame, case: Case) -> pd.DataFrame:
    """Return the accuracy through the filter that keeps the lower half of each axis, or the nearest that there is."""
    rows = rows[(rows["attacker"] == "unaware") & (rows["attack"] == "clean") & np.isfinite(rows["cutoff"])]
    middle = case.arrays.sizes["ky"] // 4
    return rows.loc[(rows["cutoff"] - middle).abs().sort_values(kind="stable").index]


def _correlated(kind: str) -> Callable[[Inputs, Case], Estimate]:
    def read(inputs: Inputs, case: Case) -> Estimate:
        every = inputs.select("correlation", **case.names, pairing="matched")
        results = [result for result in every if (result.component("metric") or ("",))[0] == kind]
        return _estimate(Inputs(results).correlations().to_dict("records")[0]) if results else NOTHING

    return read


def _corruption_error(inputs: Inputs, case: Case) -> Estimate:
    """Return mCE; with several networks of a training nothing but the value, since seeds say more than images."""
    if not any(_kind(result) == CORRUPTIONS for result in inputs.select("evaluation", **case.names)):
        return NOTHING
    for setting in settings(inputs):
        for trained in setting.every:
            places = [{name: result.names[name] for name in PLACE} for result in trained.results]
            if case.names in places:
                single = len(places) == 1
                value = setting.corruption_errors(trained)[places.index(case.names)]
                return error_interval(setting, trained) if single else Estimate(value, nan, nan)
    return NOTHING


def _estimate(row: Mapping[Any, Any]) -> Estimate:
    value, half = float(row["value"]), Z95 * float(row.get("error") or NAN)
    low, high = (float(v) if (v := row.get(key)) is not None and v == v else nan for key in ("low", "high"))
    return Estimate(value, low, high) if low == low else Estimate(value, value - half, value + half)


def _mean(values: NDArray[np.float64]) -> Estimate:
    values = values[np.isfinite(values)]
    mean = float(values.mean()) if len(values) else nan
    half = Z95 * float(values.std(ddof=1)) / sqrt(len(values)) if len(values) > 1 else nan
    return Estimate(mean, mean - half, mean + half)


#: By their columns in the table, in its order.
QUANTITIES = {
    "log_low_bias": Quantity("log B_low of the mean Jacobian", "log B_low", _bias("gradients")),
    "low_bias_per_image": Quantity("log B_low of each image's Jacobian", "log B_low per image", _bias("none")),
    "essential_low": Quantity("low share of essential maps", "Essential maps", _maps("essential"), 1, ".3f"),
    "adversarial_low": Quantity("low share of adversarial maps", "Adversarial maps", _maps("adversarial"), 1, ".3f"),
    "mask_low": Quantity("low share of the mask", "Mask", _mask, 1, ".3f"),
    "lfc_ratio": Quantity(
        "LFC ratio of perturbations", "Perturbations", _evaluated("perturbation_spectra", _perturbations), 1, ".3f"
    ),
    "cosine": Quantity("cosine of essential and adversarial maps", "Cosine", _correlated("cosine")),
    "idcor": Quantity("IdCor of essential and adversarial maps as made", "as made", _correlated("idcor"),
                      group="IdCor"),
    "idcor_cleaned": Quantity("IdCor of cleaned essential and adversarial maps", "cleaned",
                              _correlated("idcor_cleaned"), group="IdCor"),
    "idcor_released": Quantity("IdCor of essential and adversarial maps, released constant", "released constant",
                               _correlated("idcor_released"), group="IdCor"),
    "robust": Quantity("accuracy under PGD, %", "PGD, %", _evaluated("robustness", _robust), 100, ".1f"),
    "mce": Quantity("mCE, %", "mCE, %", _corruption_error, 1, ".1f"),
    "low_pass": Quantity("accuracy through a low-pass filter, %", "Low-pass, %", _evaluated("low_pass", _low_passed),
                         100, ".1f"),
}  # fmt: skip

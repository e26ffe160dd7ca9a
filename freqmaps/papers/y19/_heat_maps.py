"""Fourier heat maps as the items of Yin et al. read them, and what is said of them in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import hypot
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqmaps.core.errors import FreqmapsError
from freqmaps.inference.estimates import Estimate
from freqmaps.inference.verdicts import Claim, trend
from freqmaps.publish.numbers import percent, points
from freqmaps.results.reader import Inputs, Result

KIND = "fourier_heat_map"
NAMES = ("dataset", "model", "training", "evaluation")


@dataclass(frozen=True)
class HeatMap:
    """The heat maps of one training's networks, which differ by their seed.

    Attributes
    ----------
    results
        The evaluations, one per seed.
    regime
        Kind of the training's regime; empty where the checkpoint was given, or where a regulariser joined.
    """

    results: Sequence[Result]
    regime: str

    @property
    def names(self) -> Mapping[str, str]:
        """Their dataset, model, training and evaluation."""
        return {name: self.results[0].names[name] for name in NAMES}

    @property
    def parameters(self) -> dict[str, Any]:
        """Of the evaluation."""
        return (self.results[0].component("evaluation") or ("", {}))[1]

    @cached_property
    def error(self) -> NDArray[np.float64]:
        """Error rate by frequency, (h, w), mean over networks."""
        planes = [Inputs([r]).arrays(evaluation=r.names["evaluation"])["error"].values for r in self.results]
        return np.asarray(np.mean(planes, axis=0))

    @cached_property
    def widest(self) -> float:
        """Half the widest interval of a single frequency in any of the networks."""
        arrays = [Inputs([r]).arrays(evaluation=r.names["evaluation"]) for r in self.results]
        return max(float((dataset["high"] - dataset["low"]).max()) / 2 for dataset in arrays)

    @cached_property
    def rows(self) -> pd.DataFrame:
        """Rows of all networks."""
        return Inputs(self.results).evaluations(KIND)

    def value(self, frequencies: str) -> Estimate:
        """Return an error, or a difference, with its interval; of several networks the means of all three."""
        rows = self.rows[self.rows["frequencies"] == frequencies]
        return Estimate(*(float(rows[column].mean()) for column in ("value", "low", "high")))

    @property
    def images(self) -> int:
        """How many."""
        return int(self.rows.loc[self.rows["frequencies"] == "none", "n"].min())

    @property
    def bound(self) -> float:
        """Where low frequencies end, in cycles per image."""
        return float(self.rows.loc[self.rows["frequencies"] == "low", "to"].iloc[0])


def heat_maps(inputs: Inputs) -> list[HeatMap]:
    """Return all heat maps, in the study's order, networks of one training together.

    Raises
    ------
    FreqmapsError
        There is none.
    """
    groups: dict[tuple[str, ...], list[Result]] = {}
    for result in inputs.select("evaluation"):
        if (result.component("evaluation") or ("",))[0] == KIND:
            groups.setdefault(tuple(result.names[name] for name in NAMES), []).append(result)
    if not groups:
        raise FreqmapsError(f"there is no evaluation of kind {KIND}; add one to a run")
    return [HeatMap(results, _regime(inputs, results[0])) for results in groups.values()]


def _regime(inputs: Inputs, result: Result) -> str:
    trained = inputs.related("training", result.names)
    if not trained or trained[0].manifest["spec"]["parameters"].get("regularisers"):
        return ""
    return (trained[0].component("regime") or ("",))[0]


def label(every: Sequence[HeatMap], heat_map: HeatMap) -> str:
    """Return what to call a training among others: its name, and whichever other name differs."""
    varying = [k for k in NAMES if k == "training" or len({e.names[k] for e in every}) > 1]
    return ", ".join(heat_map.names[k] for k in varying)


def described(every: Sequence[HeatMap], heat_map: HeatMap) -> str:
    """Return the error rates without noise, at low and at high frequencies."""
    networks = f", means over {len(heat_map.results)} networks" if len(heat_map.results) > 1 else ""
    clipped = "; perturbed images are clipped to [0, 1]" if heat_map.parameters["clip"] else ""
    return (
        f"{label(every, heat_map)}: error without noise {_percent(heat_map.value('none'))}, under noise of frequencies "
        f"up to {heat_map.bound:.3g} cycles per image {_percent(heat_map.value('low'))}, of higher ones "
        f"{_percent(heat_map.value('high'))} ({heat_map.images} images{networks}{clipped}). The 95 % interval of a "
        f"single frequency reaches ±{100 * heat_map.widest:.1f} points at most."
    )


def sensitive(every: Sequence[HeatMap], heat_map: HeatMap) -> Claim:
    """Say whether a naturally trained network errs more often at high than at low frequencies."""
    apart = heat_map.value("high less low")
    return trend(
        "a naturally trained network is sensitive to noise of all but the lowest frequencies",
        [(apart.low, apart.high)],
        f"{label(every, heat_map)} errs more often at high than at low frequencies by {_points(apart)} points",
        section="4.1, figure 3",
        reported="so in its heat map",
        n=heat_map.images,
    )


def shifted(every: Sequence[HeatMap], trained: HeatMap, natural: HeatMap) -> Claim:
    """Say whether adversarial training lowers the error at high frequencies and raises it at low ones.

    The intervals are those of independent images. Both networks see the same ones, so they are rather too wide.
    """
    high, low = (_difference(trained.value(name), natural.value(name)) for name in ("high", "low"))
    return trend(
        "adversarial training makes a network robust to noise of high frequencies and less robust to low ones",
        [(-high.high, -high.low), (low.low, low.high)],
        f"the error of {label(every, trained)} less that of {label(every, natural)} is {_points(high)} points at high "
        f"and {_points(low)} at low frequencies",
        section="4.1, figure 3",
        reported="so in its heat map",
        n=trained.images,
    )


def comparable(trained: HeatMap, natural: HeatMap) -> bool:
    """Whether two heat maps are of an adversarially and a naturally trained network under the same noise."""
    alike = all(trained.names[k] == natural.names[k] for k in ("dataset", "model", "evaluation"))
    return alike and trained.regime in ("adversarial", "fgsm") and natural.regime == "standard"


def _difference(own: Estimate, other: Estimate) -> Estimate:
    change = own.value - other.value
    half = hypot(own.high - own.low, other.high - other.low) / 2
    return Estimate(change, change - half, change + half)


def _percent(estimate: Estimate) -> str:
    return percent(estimate.value, estimate.low, estimate.high)


def _points(estimate: Estimate) -> str:
    return points(estimate.value, estimate.low, estimate.high)

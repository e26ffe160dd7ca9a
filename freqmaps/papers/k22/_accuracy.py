"""Accuracies under the masks of whole sets of images, by network and mask, for K22-T1 and K22-X1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from statistics import fmean, stdev
from typing import Any

import pandas as pd

from freqmaps.core.errors import FreqmapsError
from freqmaps.inference.estimates import Z95, half_width
from freqmaps.inference.intervals import PairedChange, mean_interval, paired_change
from freqmaps.papers.k22._regimes import Regime, labels, regimes
from freqmaps.publish.api import Column
from freqmaps.publish.numbers import number
from freqmaps.results.reader import Inputs

KIND = "group_accuracy"
#: What an evaluation calls the mask of all images that started from the settings' initial value.
_ALL = ("all", "all-start-0")
PLACE = ("dataset", "model", "group_maps")


@dataclass(frozen=True)
class Study:
    """What the evaluations of one dataset, model and mask setting say.

    Attributes
    ----------
    place
        Names of ``dataset``, ``model`` and ``group_maps``.
    regimes
        By the training's name, in the paper's order.
    rows
        Columns ``training, seed, masks_of, filter, value, n, low, high, lost, gained``; masks of all clean images.
    """

    place: Mapping[str, str]
    regimes: Mapping[str, Regime]
    rows: pd.DataFrame

    @property
    def labels(self) -> dict[str, str]:
        """What to call each training."""
        return labels(self.regimes)

    def of(self, training: str, masks_of: str, name: str) -> pd.DataFrame:
        """Return the rows of one regime's networks under another's masks and one filter, a row per seed."""
        rows = self.rows
        chosen = (rows["training"] == training) & (rows["masks_of"] == masks_of) & (rows["filter"] == name)
        return rows[chosen]


def studies(inputs: Inputs) -> list[Study]:
    """Return the evaluations under masks of all images, one study per dataset, model and mask setting.

    Raises
    ------
    FreqmapsError
        There is none.
    """
    settings = {
        r.names["evaluation"]: str((r.component("evaluation") or ("", {}))[1].get("group_maps"))
        for r in inputs.select("evaluation")
    }
    frame = inputs.evaluations(KIND)
    frame = frame[frame["group"].isin(_ALL) & (frame["images"] == "essential")]
    if frame.empty:
        raise FreqmapsError("no evaluation of a mask of all images; evaluate a setting with 'groups: all'")
    frame = frame.assign(group_maps=frame["evaluation"].map(settings), masks_of=frame["masks_of"].astype(str))
    by_training = regimes(inputs, "evaluation")
    built = []
    for place, rows in frame.groupby(list(PLACE), sort=False):
        there = set(rows["training"]) | set(rows["masks_of"])
        trained = {name: trained_by for name, trained_by in by_training.items() if name in there}
        built.append(Study(dict(zip(PLACE, map(str, place), strict=True)), trained, _one_each(rows)))
    return built


def change(rows: pd.DataFrame) -> tuple[PairedChange, int]:
    """Return the mean change over networks, and in how many McNemar's test finds one (p < 0.05).

    Parameters
    ----------
    rows
        One per network: ``lost``, ``gained``, ``n``.

    Returns
    -------
    tuple
        Of the change, each bound lies as far from the mean as :func:`freqmaps.inference.estimates.half_width` says: the
        mean distance of the networks' own bounds (Tango's), which is the error over images, and the networks' standard
        deviation with Student's t are added as squares. Of one network the interval is Tango's, over images alone.
    """
    counts = rows[["lost", "gained", "n"]].to_numpy(dtype=int).tolist()
    every = [paired_change(*row) for row in counts]
    mean, p_value = (fmean(getattr(paired, key) for paired in every) for key in ("change", "p_value"))
    spread = stdev(paired.change for paired in every) if len(every) > 1 else nan
    below, above = (
        half_width(fmean(distances) / Z95, spread, len(every))
        for distances in ([p.change - p.low for p in every], [p.high - p.change for p in every])
    )
    changed = sum(paired.p_value < 0.05 for paired in every)
    return PairedChange(mean, max(mean - below, -1.0), min(mean + above, 1.0), p_value), changed


def accuracy(rows: pd.DataFrame, prefix: str) -> dict[str, float]:
    """Return mean and standard deviation over networks, and the means of their Wilson bounds; NaN without a row.

    Returns
    -------
    dict
        ``<prefix>``, ``<prefix>_sd`` (NaN below two networks), ``<prefix>_low``, ``<prefix>_high``.
    """
    interval = mean_interval(rows["value"].tolist())
    bounds = {f"{prefix}_{end}": float(rows[end].mean()) for end in ("low", "high")}
    return {prefix: interval.mean, f"{prefix}_sd": interval.sd} | bounds


def naming(every: list[Study]) -> tuple[list[Column], list[str]]:
    """Return the columns that tell the studies apart, and a note with what they share."""
    names = {"dataset": "dataset", "model": "model", "group_maps": "mask setting"}
    varying = [key for key in PLACE if len({s.place[key] for s in every}) > 1]
    shared = ", ".join(f"{names[k]} {every[0].place[k]}" for k in PLACE if k not in varying)
    columns = [Column(key, names[key].capitalize()) for key in varying]
    return [*columns, Column("regime", "Training")], [f"All rows: {shared}."] if shared else []


def prefix(every: list[Study], study: Study) -> str:
    """Return what a sentence on one study starts with: its names, if there are several studies."""
    return f"{', '.join(study.place.values())}: " if len(every) > 1 else ""


def points(share: float) -> str:
    """Return a difference of shares in percentage points.

    >>> points(-0.0065), points(0.001)
    ('−0.65', '+0.10')
    """
    return number(100 * share, "+.2f")


def _one_each(rows: pd.DataFrame) -> pd.DataFrame:
    """Check that each network was evaluated once under each mask and filter."""
    keys: list[Any] = ["training", "seed", "masks_of", "filter"]
    twice = rows[rows.duplicated(keys)]
    if len(twice):
        row = twice.iloc[0]
        raise FreqmapsError(
            f"two evaluations of {row['training']}, seed {row['seed']}, under the masks of {row['masks_of']}; "
            "select one by name ('select: {evaluation: ...}')"
        )
    return rows.reset_index(drop=True)

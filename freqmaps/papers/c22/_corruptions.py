"""Networks under common corruptions: accuracies, mCE, the corruptions' own log B_low, and what two trainings differ by.

Two trainings with one network each are compared on the same corrupted images, so that the interval is paired over
images. With several networks it is Welch's over networks, which also holds for other seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isnan, nan

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqmaps.core.errors import FreqmapsError
from freqmaps.inference.bootstrap import RESAMPLES, bootstrap_means, percentiles
from freqmaps.inference.corruption_errors import mean_corruption_error
from freqmaps.inference.estimates import Estimate, paired_difference
from freqmaps.inference.intervals import difference_interval
from freqmaps.inference.proportions import difference_bounds
from freqmaps.papers.c22._evaluated import Trained, evaluated
from freqmaps.papers.c22._networks import STANDARD
from freqmaps.results.reader import Inputs
from freqmaps.spectra.low_bias import first_quadrant, log_low_bias

KIND = "corruptions"
#: What the evaluation calls images without a corruption.
CLEAN = "none"

NAMES = ("dataset", "model", "evaluation")
Errors = dict[str, list[float]]


@dataclass(frozen=True)
class Setting:
    """The networks of one dataset and model under one evaluation.

    Attributes
    ----------
    every
        One entry per training, in the paper's order.
    relative_to
        The config's name of the training that mCE is relative to; empty: the paper's standard training.
    """

    every: Sequence[Trained]
    relative_to: str = ""

    @property
    def names(self) -> dict[str, str]:
        """Dataset, model and evaluation."""
        return {name: self.every[0].names[name] for name in NAMES}

    def of(self, row: str) -> Trained | None:
        """Return the training of the paper's name, the first if there are several; None if there is none."""
        return next((trained for trained in self.every if trained.row == row), None)

    @cached_property
    def _differences(self) -> dict[str, NDArray[np.float64]]:
        """By corruption, the mean spectrum of what it changes at each severity; NaN where that is not known."""
        spectra = Inputs([self.every[0].results[0]]).arrays()["difference_spectrum"]
        return dict(zip(map(str, spectra["corruption"].values), spectra.values, strict=True))

    @cached_property
    def low_bias(self) -> dict[str, float]:
        """By corruption, log B_low, the mean over severities, descending; NaN where it is not known.

        Severities at which a corruption changes nothing have no spectrum, and are left out of the mean.
        """
        means = {}
        for name, planes in self._differences.items():
            changes = planes[np.any(planes != 0, axis=(1, 2))]
            means[name] = float(log_low_bias(first_quadrant(changes)).mean()) if len(changes) else nan
        return dict(sorted(means.items(), key=lambda entry: (isnan(entry[1]), -entry[1])))

    @cached_property
    def without_effect(self) -> list[str]:
        """The corruptions that change no image at any severity: saturation where all images are grey."""
        return [name for name, planes in self._differences.items() if not np.any(planes != 0)]

    @cached_property
    def compared(self) -> list[str]:
        """The corruptions that mCE and comparisons are over, in the order of log B_low: those that have an effect."""
        return [name for name in self.low_bias if name not in self.without_effect]

    @cached_property
    def groups(self) -> dict[str, str]:
        """The benchmark's group of each corruption: noise, blur, weather, digital or extra."""
        rows = self.every[0].rows[0]
        return {str(k): str(v) for k, v in rows.groupby("corruption")["group"].first().items() if k != CLEAN}

    def errors(self, trained: Trained) -> list[Errors]:
        """Return of each network of a training the error rates by corruption with an effect, one per severity."""
        return [{name: (1 - under(rows, name)["value"]).tolist() for name in self.compared} for rows in trained.rows]

    @property
    def reference_training(self) -> Trained | None:
        """The training that mCE is relative to; None if no network was trained so."""
        if not self.relative_to:
            return self.of(STANDARD)
        return next((t for t in self.every if t.names["training"] == self.relative_to), None)

    @cached_property
    def reference(self) -> Errors | None:
        """Error rates of the training that mCE is relative to, means over its networks; None without it."""
        if self.reference_training is None:
            return None
        errors = self.errors(self.reference_training)
        return {name: np.mean([of_network[name] for of_network in errors], axis=0).tolist() for name in errors[0]}

    def corruption_errors(self, trained: Trained) -> list[float]:
        """Return mCE of each network of a training, in percent; NaN without a training that it is relative to."""
        if self.reference is None:
            return [nan] * len(trained.rows)
        return [mean_corruption_error(errors, self.reference) for errors in self.errors(trained)]


def settings(inputs: Inputs, dataset: str = "", relative_to: str = "") -> list[Setting]:
    """Return the evaluations of corruptions by dataset, model and evaluation.

    Parameters
    ----------
    inputs
        The study's results.
    dataset
        A kind of dataset: where networks of such data were evaluated, only they are returned.
    relative_to
        The config's name of the training that mCE is relative to; empty: the paper's standard training.

    Raises
    ------
    FreqmapsError
        There is none, or no network of a training called ``relative_to``.
    """
    groups: dict[tuple[str, ...], list[Trained]] = {}
    for trained in evaluated(inputs, dataset, KIND):
        groups.setdefault(tuple(trained.names[name] for name in NAMES), []).append(trained)
    every = [Setting(trained, relative_to) for trained in groups.values()]
    if relative_to and not any(setting.reference_training for setting in every):
        names = ", ".join(dict.fromkeys(t.names["training"] for setting in every for t in setting.every))
        raise FreqmapsError(
            f"mCE is to be relative to training '{relative_to}', of which no network was evaluated under corruptions; "
            f"there are {names}"
        )
    return every


def under(rows: pd.DataFrame, corruption: str) -> pd.DataFrame:
    """Return a network's rows of a corruption, severities ascending."""
    return rows[rows["corruption"] == corruption].sort_values("severity")


def accuracies(trained: Trained, corruption: str) -> list[float]:
    """Return of each network the accuracy under a corruption, the mean over severities."""
    return [float(under(rows, corruption)["value"].mean()) for rows in trained.rows]


def images(trained: Trained) -> int:
    """Return how many images a network saw under each corruption and severity, the smallest number."""
    return min(int(rows["n"].min()) for rows in trained.rows)


def change(first: Trained, second: Trained, corruptions: Sequence[str]) -> Estimate:
    """Return the accuracy of one training less that of another, the mean over corruptions, with its 95 % interval.

    Of one network each the interval is paired over images; where accuracies by image are missing it is Newcombe's with
    as many trials as images, which is too wide: a mean over severities and corruptions varies less than one trial.
    """
    own, other = (np.mean([accuracies(trained, name) for name in corruptions], axis=0) for trained in (first, second))
    if len(own) > 1 or len(other) > 1:
        welch = difference_interval(own.tolist(), other.tolist())
        return Estimate(welch.mean, welch.low, welch.high)
    by_image = [_by_image(trained) for trained in (first, second)]
    if any(table.empty for table in by_image):
        counts = [
            (round(float(value[0]) * images(trained)), images(trained))
            for value, trained in ((own, first), (other, second))
        ]
        return Estimate(float(own[0] - other[0]), *difference_bounds(counts[0], counts[1]))
    names = list(corruptions)
    mine, theirs = (values[names].mean(axis=1) for values in by_image)
    both = mine.index.intersection(theirs.index)
    paired = paired_difference(mine[both].to_numpy(), theirs[both].to_numpy())
    return Estimate(float(own[0] - other[0]), nan, nan) if paired is None else paired


def error_change(setting: Setting, first: Trained, second: Trained) -> Estimate:
    """Return mCE of one training less that of another, in points, with its 95 % interval.

    Of one network each the interval is a bootstrap over images, all networks and corruptions drawn together; it has no
    bounds where accuracies by image are missing. With several networks it is Welch's.
    """
    own, other = setting.corruption_errors(first), setting.corruption_errors(second)
    if len(own) > 1 or len(other) > 1:
        welch = difference_interval(own, other)
        return Estimate(welch.mean, welch.low, welch.high)
    reference = setting.reference_training
    trained = [first, second, *([reference] if reference else [])]
    return Estimate(own[0] - other[0], *_error_bounds(trained, setting.compared))


def error_interval(setting: Setting, trained: Trained) -> Estimate:
    """Return mCE of a training with one network, in percent, with its bootstrap interval over images."""
    reference = setting.reference_training
    if reference is None or trained is reference or len(trained.rows) > 1:
        return Estimate(float(np.mean(setting.corruption_errors(trained))), nan, nan)
    difference = error_change(setting, trained, reference)
    return Estimate(100 + difference.value, 100 + difference.low, 100 + difference.high)


def _error_bounds(trained: Sequence[Trained], corruptions: Sequence[str]) -> tuple[float, float]:
    """Return the bounds of the first mCE less the second, relative to the third; NaN without accuracies by image."""
    tables = [_by_image(network) for network in trained]
    if len(trained) < 3 or len(trained[2].rows) > 1 or any(table.empty for table in tables):
        return nan, nan
    ids = tables[0].index.intersection(tables[1].index).intersection(tables[2].index)
    if not len(ids):
        return nan, nan
    errors = np.concatenate([1 - table.loc[ids, list(corruptions)].to_numpy() for table in tables], axis=1)
    first, second, reference = np.split(bootstrap_means(errors, RESAMPLES, 0), 3, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        draws: NDArray[np.float64] = 100 * ((first - second) / reference).mean(axis=1)
    return percentiles(draws)


def _by_image(trained: Trained) -> pd.DataFrame:
    """Return of the one network of a training the share of severities at which an image is right, by corruption."""
    path = trained.results[0].folder / "samples.csv"
    if not path.is_file() or not path.stat().st_size:
        return pd.DataFrame()
    rows, severities = trained.rows[0], _severities(trained.rows[0])
    names = [name for name in dict.fromkeys(rows["corruption"]) if name != CLEAN]
    table = Inputs([trained.results[0]]).evaluations(KIND, "samples.csv").set_index("sample")
    return table[names] / pd.Series(severities)[names]


def _severities(rows: pd.DataFrame) -> Mapping[str, int]:
    return {str(name): int(count) for name, count in rows["corruption"].value_counts().items()}

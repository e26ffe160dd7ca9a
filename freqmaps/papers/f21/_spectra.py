"""Spectra of perturbations, as the items of F21 read them: evaluations by network, drawings, sentences on trends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import hypot, inf
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from freqmaps.core.errors import FreqmapsError
from freqmaps.inference.estimates import Z95, Estimate
from freqmaps.inference.verdicts import Interval, finding, trend
from freqmaps.publish.numbers import with_interval
from freqmaps.publish.style import INK, MUTED, SPECTRUM_COLOURS, frequency_axes
from freqmaps.results.reader import EVERY_STEP, Inputs, Result

KIND = "perturbation_spectra"
IMAGES = "images"
#: C22's log B_low, as a measure.
BIAS = "log_low_bias"
TWO_LAYER = "two_layer"
PLACE = ("dataset", "model", "training", "seed")
#: What figures call the methods by norm; FGM in the maximum norm is FGSM.
METHODS = {("fgm", "l2"): "FGM", ("fgm", "linf"): "FGSM", ("pgd", "l2"): "PGD", ("pgd", "linf"): "PGD"}
NORMS = {"l2": "ℓ2", "linf": "ℓ∞"}
LOSSES = {"cross_entropy": "cross-entropy", "mse": "mean squared error"}
#: ASSUME: a frequency that no perturbation has is drawn as this share of the largest magnitude.
_FLOOR = 1e-4
Values = NDArray[Any]
Kind = Literal["deep", "two-layer", "mse"]
#: From where to where a trend that something rises, or is larger, says that a difference lies.
RISES = (0.0, inf)
#: The norm in which the paper looks at spectra.
_PAPER = "l2"
_KINDS = {
    "deep": "a network attacked with cross-entropy",
    "two-layer": "a network of architecture two_layer",
    "mse": "a network attacked with the mean squared error",
}


@dataclass(frozen=True)
class Case:
    """The perturbations of one network, or of the snapshots of one training.

    Attributes
    ----------
    result
        The evaluation.
    regime
        Of the network's training; empty where the checkpoint was given.
    architecture
        Of the network.
    """

    result: Result
    regime: str
    architecture: str

    @property
    def names(self) -> Mapping[str, str]:
        """The names of the network."""
        return {name: self.result.names[name] for name in PLACE}

    @property
    def parameters(self) -> dict[str, Any]:
        """Of the evaluation."""
        return (self.result.component("evaluation") or ("", {}))[1]

    @cached_property
    def rows(self) -> pd.DataFrame:
        """All rows, in the order of steps."""
        return Inputs([self.result]).evaluations(KIND)

    @cached_property
    def arrays(self) -> xr.Dataset:
        """Mean spectra, and the examples."""
        return Inputs([self.result]).arrays()

    @property
    def along(self) -> bool:
        """Whether it is of the snapshots of a training."""
        return bool(self.rows["step"].notna().all())

    @property
    def kind(self) -> Kind:
        """Which of the paper's networks it stands for: see :func:`cases`."""
        if self.architecture == TWO_LAYER:
            return "two-layer"
        return "mse" if self.parameters["loss"] == "mse" else "deep"

    @property
    def attacks(self) -> list[tuple[str, str]]:
        """Methods and norms, in the order of the evaluation."""
        rows = self.rows[self.rows["attack"] != IMAGES]
        return list(dict.fromkeys(zip(rows["attack"], rows["norm"], strict=True)))

    @property
    def has_examples(self) -> bool:
        """Whether images are kept."""
        return "example_image" in self.arrays

    def values(self, measure: str, method: str = IMAGES, norm: str = "") -> pd.DataFrame:
        """Return the rows of a measure for one attack, or of the clean images, one per step."""
        rows = self.rows[(self.rows["measure"] == measure) & (self.rows["attack"] == method)]
        return rows if method == IMAGES else rows[rows["norm"] == norm]


def cases(inputs: Inputs, kind: Kind, *, along: bool = False) -> list[Case]:
    """Return the evaluations of perturbation spectra in the study's order.

    Parameters
    ----------
    inputs
        The study's results.
    kind
        ``two-layer``: of networks of the architecture ``two_layer``; of others, ``mse``: attacked with the mean squared
        error, ``deep``: with cross-entropy.
    along
        Of the snapshots of a training, or of finished networks.

    Raises
    ------
    FreqmapsError
        There is none.
    """
    every = []
    for result in inputs.select("evaluation"):
        if (result.component("evaluation") or ("",))[0] != KIND:
            continue
        trained = inputs.related("training", {name: result.names[name] for name in PLACE})
        networks = trained or inputs.select("snapshots", **{n: result.names[n] for n in PLACE}, step=EVERY_STEP)
        regime, architecture = (
            (networks[0].component(role) or ("",))[0] if networks else "" for role in ("regime", "model")
        )
        case = Case(result, regime, architecture)
        if case.along == along and case.kind == kind:
            every.append(case)
    if not every:
        whose = "a run with snapshots" if along else "a run without snapshots"
        raise FreqmapsError(f"there is no evaluation of kind {KIND} of {_KINDS[kind]} in {whose}; add one")
    return every


def label(every: Sequence[Case], network: Case) -> str:
    """Return what to call a network among others: its training, and whichever other name differs."""
    varying = [k for k in PLACE if k == "training" or len({e.names[k] for e in every}) > 1]
    return ", ".join(f"seed {network.names[k]}" if k == "seed" else network.names[k] for k in varying)


def attack_text(case: Case, method: str, norm: str) -> str:
    """Return what to call an attack: method, norm and budget."""
    epsilon = case.parameters["epsilon"]
    return f"{METHODS[method, norm]} in {NORMS[norm]}, ε = {epsilon:.4g}"


def setting(case: Case) -> str:
    """Return the note that says what the perturbations are of."""
    parameters = case.parameters
    bounds = "kept in [0, 1]" if parameters["clip"] else "not kept in [0, 1]"
    pgd = f"PGD makes {parameters['steps']} steps of {parameters['step']:.4g}"
    return (
        f"Attacks raise the {LOSSES[parameters['loss']]}; perturbed images are {bounds}; {pgd}. The share of low "
        f"frequencies counts the {parameters['shape']} up to {case.rows['cutoff'].iloc[0]:g} cycles per image, which "
        f"holds {100 * case.rows['area'].iloc[0]:.0f} % of all frequencies."
    )


def condition(case: Case) -> str:
    """Say whether the images have more than half of their energy at low frequencies: condition 2 on the cut-off."""
    rows = case.values("lfc_ratio").to_dict("records")
    least = min(rows, key=lambda row: float(row["value"]))
    along = f" at step {int(least['step'])}, the smallest of {len(rows)} snapshots" if case.along else ""
    verdict = finding([interval(estimate(row)) for row in rows], (0.5, inf))
    return (
        "The theory's condition 2 on the cut-off, that images have more than half of their energy at low frequencies, "
        f"{verdict}: their mean share is {shown(estimate(least))}{along}."
    )


def trend_in_norm(
    claim: str,
    intervals: Sequence[Interval],
    evidence: str,
    norm: str,
    *,
    region: Interval = RISES,
    section: str,
    reported: str,
    n: int | None = None,
) -> str:
    """Return the sentence on a trend in the paper's norm, and in another one what was found."""
    if norm != _PAPER:
        return f"Not in the paper: {evidence}."
    return trend(claim, intervals, evidence, region=region, section=section, reported=reported, n=n)


def estimate(row: Mapping[Any, Any]) -> Estimate:
    """Return a row's value and its interval."""
    return Estimate(float(row["value"]), float(row["low"]), float(row["high"]))


def difference(own: Mapping[Any, Any], other: Mapping[Any, Any]) -> Estimate:
    """Return how much larger a mean is than one over other images, with its 95 % interval."""
    change = float(own["value"]) - float(other["value"])
    half = Z95 * hypot(*(float(row["sd"]) / float(row["n"]) ** 0.5 for row in (own, other)))
    return Estimate(change, change - half, change + half)


def interval(estimate: Estimate) -> tuple[float, float]:
    """Return the bounds of an estimate."""
    return estimate.low, estimate.high


def shown(estimate: Estimate, form: str = ".3f") -> str:
    """Return an estimate with its interval as text.

    >>> shown(Estimate(0.5, 0.4, 0.6))
    '0.500 (0.400 to 0.600)'
    """
    return with_interval(estimate.value, estimate.low, estimate.high, form)


def logarithm(plane: Values) -> Values:
    """Return the decimal logarithm of a plane of magnitudes relative to the largest, not below the floor."""
    top = float(plane.max())
    return np.log10(np.maximum(plane / (top or 1.0), _FLOOR))


def draw_plane(
    axes: Axes, plane: Values, title: str, *, low: float | None = None, high: float | None = None
) -> AxesImage:
    """Draw a plane of frequencies; ``low`` and ``high`` are the ends of the colours."""
    image = axes.imshow(plane, cmap=SPECTRUM_COLOURS, vmin=low, vmax=high)
    frequency_axes(axes, *plane.shape)
    axes.set_title(title, color=INK)
    return image


def bar(figure: Canvas, image: AxesImage, axes: Axes, text: str, *, cut: bool = False) -> None:
    """Draw the scale of an image beside its axes; ``cut``: there are values above its end."""
    drawn = figure.colorbar(image, ax=axes, shrink=0.85, pad=0.02, extend="max" if cut else "neither")
    drawn.set_label(text, color=MUTED, fontsize=7)
    drawn.ax.tick_params(colors=MUTED, labelsize=6.5)


def with_examples(every: Sequence[Case]) -> Case:
    """Return the first case that has kept images.

    Raises
    ------
    FreqmapsError
        None has.
    """
    for case in every:
        if case.has_examples:
            return case
    raise FreqmapsError(f"no evaluation of kind {KIND} has kept images; set its 'examples'")

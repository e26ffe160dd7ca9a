"""Figure 7 of Karantzas et al.: the share of images whose robust mask has more energy than the natural one, by band."""

from __future__ import annotations

from math import inf

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from numpy.typing import NDArray

from freqmaps.inference.verdicts import trend
from freqmaps.papers.k22._exceeding import AS_MADE, READINGS, Case, Reading, case_of
from freqmaps.papers.k22._regimes import described
from freqmaps.publish.api import Figure
from freqmaps.publish.numbers import percent
from freqmaps.publish.style import BLUE, INK, MUTED, STYLE, VERMILION, new_figure, quiet
from freqmaps.results.reader import Inputs
from freqmaps.spectra.exceedance import Exceedance

TITLE = "Where the adversarially trained network's masks have more energy than the natural network's"
CAPTION = (
    "Per cent of images whose mask has the larger share of its energy (the square of its entries) in a ring of radii "
    "(top) or a sector of directions (bottom), with Clopper and Pearson's 95 % interval. Left, orange: as the paper "
    "describes it, the mask of the adversarially trained network for the attacked image against that of the natural "
    "network for the clean one. Right, orange: as the released code computes it, from masks of clean images for both "
    "networks, those of the natural one with every entry above 0 set to 1, and with ties as no more. Blue, on both "
    "sides: masks of clean images as they were made. Dashed: as often more as less."
)
KIND = "figure"
NEEDS = ("evaluation", "training")
EVALUATIONS = ("map_energy",)

Rows = NDArray[np.float64]


def build(inputs: Inputs) -> Figure:
    """Draw the shares of images, by radius and by direction, in both readings.

    Parameters
    ----------
    inputs
        The study's results.
    """
    case = case_of(inputs)
    with rc_context(STYLE):
        figure = new_figure(7.0, 4.8)
        panels = figure.subplots(2, 2, sharex="row", sharey=True)
        for row, (measure, label) in enumerate(
            (("radial", "radius, cycles per image"), ("angular", "direction, degrees"))
        ):
            for axes, reading in zip(panels[row], READINGS, strict=True):
                for curve, colour in ((AS_MADE, BLUE), (reading, VERMILION)):
                    _curve(axes, case, measure, curve, colour)
                axes.set_title(reading.name if row == 0 else "", color=INK)
                _frame(axes, label)
            panels[row, 0].set_ylabel("% of images", color=MUTED)
        for axes in panels[1]:
            axes.set_xticks([0, 45, 90, 135, 180])
        for axes in panels[0]:
            axes.legend(frameon=False, fontsize=7, loc="best")
    alt = "Four panels of two curves around 50 per cent: by radius and by direction, as described and as released."
    return Figure(figure, _notes(case), alt)


def _curve(axes: Axes, case: Case, measure: str, reading: Reading, colour: str) -> None:
    exceedance, places, used = case.compare(measure, reading), case.places(measure), case.used(measure)
    x = places[used]
    share, low, high = (100 * v[used] for v in (exceedance.share, exceedance.low, exceedance.high))
    size = 2.5 if len(x) < 20 else 0
    axes.plot(x, share, color=colour, linewidth=1.2, marker="o", markersize=size, label=reading.label)
    axes.fill_between(x, low, high, color=colour, alpha=0.22, linewidth=0)


def _frame(axes: Axes, label: str) -> None:
    axes.axhline(50, color=INK, linewidth=0.7, linestyle="--")
    axes.set_ylim(0, 100)
    axes.set_xlabel(label, color=MUTED)
    quiet(axes)


def _notes(case: Case) -> list[str]:
    natural, attacked, clean = case.counts
    lows = [case.low(reading) for reading in READINGS]
    notes = [
        f"Shown: {', '.join(f'{k} {v}' for k, v in case.names.items())}. {described(case.regimes)}",
        f"{case.n} images have all three masks, of {natural} with a natural mask, {attacked} with one of the attacked "
        f"image and {clean} with one of the clean image.",
        *(_claim(case, reading, low) for reading, low in zip(READINGS, lows, strict=True)),
        f"From one reading to the other, the share of images with more of their energy at low frequencies goes from "
        f"{_percent(lows[0])} to {_percent(case.low(AS_MADE))} with masks of the clean image for both networks, and to "
        f"{_percent(lows[1])} with the natural network's masks made binary and ties as no more.",
    ]
    for measure, what in (("radial", "rings"), ("angular", "sectors")):
        empty = int((~case.used(measure)).sum())
        if empty:
            notes.append(f"{empty} of {case.bands} {what} hold no frequency of an image of this size and are left out.")
    compared = case.compare("radial", READINGS[0])
    if compared.n_dropped:
        notes.append(f"{compared.n_dropped} images are left out of the curves: one of their masks is 0 everywhere.")
    tied = compared.ties[case.used("radial")].sum()
    if tied:
        notes.append(
            "Equal energies, as in rings that both masks leave empty, count half, as released not at all: as described "
            f"{tied} of the comparisons by radius."
        )
    return notes


def _claim(case: Case, reading: Reading, low: Exceedance) -> str:
    return trend(
        "the adversarially trained network's masks have more of their energy at low frequencies",
        [(float(low.low[0]), float(low.high[0]))],
        f"{reading.means}, the share below half the largest radius is the larger in {_percent(low)} of images; of one "
        "network of each training",
        region=(0.5, inf),
        section="3.2, figure 7",
        reported="in most images",
        n=low.n,
        networks=1,
    ).at(reading.name)


def _percent(exceedance: Exceedance) -> str:
    return percent(exceedance.share[0], exceedance.low[0], exceedance.high[0])

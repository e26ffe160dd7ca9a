"""Figure 1 of C22: mean spectra of images beside those of the Jacobians of networks trained on them."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot

from matplotlib import rc_context
from matplotlib.axes import Axes

from freqmaps.inference.estimates import Z95
from freqmaps.inference.verdicts import Claim, trend
from freqmaps.papers.c22._drawing import draw_quadrants, ring_means
from freqmaps.papers.c22._networks import STANDARD, Case, Values, cases, grouped, label
from freqmaps.publish.api import Figure
from freqmaps.publish.nothing import NothingToShow
from freqmaps.publish.numbers import number, with_interval
from freqmaps.publish.style import BLUE, INK, MUTED, STYLE, VERMILION, new_figure, plain, quiet
from freqmaps.results.reader import Inputs
from freqmaps.spectra.low_bias import first_quadrant

TITLE = "Spectra of images, and of the Jacobians of networks trained on them"
CAPTION = (
    "Mean magnitudes over test images and channels, of the images and of the gradients of the cross-entropy in their "
    "pixels, logarithm relative to the largest; frequency rises from 0 in the upper left corner, in cycles per image. "
    "Right: means over rings of frequencies, relative to the largest ring."
)
KIND = "figure"
NEEDS = ("evaluation", "training")
EVALUATIONS = ("jacobian_spectra",)


def build(inputs: Inputs) -> Figure:
    """Draw a row of panels for each dataset and model that has a naturally trained network.

    Raises
    ------
    NothingToShow
        No network was trained in the standard way.
    """
    every = [group[0] for group in grouped([case for case in cases(inputs) if case.paper == STANDARD])]
    if not every:
        raise NothingToShow("no network whose Jacobians were measured was trained in the standard way")
    with rc_context(STYLE):
        figure = new_figure(7.2, 0.4 + 2.3 * len(every))
        panels = figure.subplots(len(every), 3, squeeze=False, width_ratios=(1, 1, 1.15))
        for row, case in zip(panels, every, strict=True):
            images, jacobians = _planes(case)
            start = plain(label(every, case))
            titles = [f"{plain(case.names['dataset'])}: images", f"{start}: Jacobians"]
            drawn = draw_quadrants(row[:2], [first_quadrant(images), first_quadrant(jacobians)], titles)
            bar = figure.colorbar(drawn, ax=list(row[:2]), shrink=0.85, pad=0.02)
            bar.set_label("log10, of the largest", color=MUTED, fontsize=7)
            bar.ax.tick_params(colors=MUTED, labelsize=6.5)
            _profiles(row[2], images, jacobians)
    notes: list[str] = [_finding(every, case) for case in every]
    return Figure(figure, notes, f"{len(every)} rows: spectra of images and of Jacobians, and their means over rings.")


def _planes(case: Case) -> tuple[Values, Values]:
    last = case.arrays.isel(step=-1)
    return last["image_spectrum"].values, last["spectrum"].values


def _profiles(axes: Axes, images: Values, jacobians: Values) -> None:
    for plane, colour, text in ((images, BLUE, "images"), (jacobians, VERMILION, "Jacobians")):
        radius, means = ring_means(plane)
        axes.plot(radius, means / means.max(), color=colour, linewidth=1.2, marker="o", markersize=2, label=text)
    axes.set_yscale("log")
    axes.set_xlabel("radius, cycles per image", color=MUTED)
    axes.set_title("by radius", color=INK)
    axes.legend(frameon=False, fontsize=6.5, labelcolor=MUTED)
    quiet(axes)


def _finding(every: Sequence[Case], case: Case) -> Claim:
    """Say whether the images have a larger low-frequency bias than the Jacobians, per image."""
    images, jacobians = case.row("none", "images"), case.row("none")
    change = float(images["value"]) - float(jacobians["value"])
    half = Z95 * hypot(*(float(row["sd"]) / float(row["n"]) ** 0.5 for row in (images, jacobians)))
    evidence = (
        f"log B_low per image {number(images['value'])} of images and {number(jacobians['value'])} of Jacobians, "
        f"difference {with_interval(change, change - half, change + half, '+.2f')} over {int(jacobians['n'])} images"
    )
    claim = "images have lower frequencies than the Jacobians of a standard network"
    return trend(
        claim, [(change - half, change + half)], evidence, section="1, figure 1",
        reported="mean spectra of images fall with the frequency, those of Jacobians do not", n=int(jacobians["n"]),
    ).at(f"{case.names['dataset']}, {label(every, case)}")  # fmt: skip

"""Figure 13 of F21: the share of low frequencies in images, and in perturbations of two networks."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal

from matplotlib import rc_context
from matplotlib.axes import Axes

from freqmaps.inference.verdicts import Claim, trend
from freqmaps.papers.f21._spectra import (
    BIAS,
    RISES,
    Case,
    attack_text,
    cases,
    condition,
    difference,
    estimate,
    interval,
    label,
    setting,
    shown,
)
from freqmaps.publish.api import Figure
from freqmaps.publish.style import BLUE, INK, MUTED, STYLE, VERMILION, new_figure, plain, quiet
from freqmaps.results.reader import Inputs

TITLE = "Share of low frequencies in images and in perturbations, by training"
CAPTION = (
    "Mean share of the energy that lies at low frequencies, of the images and of perturbations of networks trained in "
    "different ways, with the 95 % interval of the mean (thick) and the middle of the distribution over images, ± one "
    "standard deviation (thin). Dotted: a spectrum that is the same at all frequencies. Right, not in the paper: log "
    "B_low, C22's measure of the low-frequency bias, of the mean magnitudes over channels and images."
)
KIND = "figure"
NEEDS = ("evaluation", "training")
EVALUATIONS = ("perturbation_spectra",)


def build(inputs: Inputs, *, method: Literal["fgm", "pgd"] = "pgd", norm: Literal["l2", "linf"] = "linf") -> Figure:
    """Draw, by each of two measures, a point for the images and one for each finished network.

    Parameters
    ----------
    inputs
        The study's results.
    method, norm
        The attack.
    """
    every = [case for case in cases(inputs, "deep") if (method, norm) in case.attacks]
    with rc_context(STYLE):
        figure = new_figure(2.4 + 1.5 * len(every), 2.6)
        shares, biases = figure.subplots(1, 2)
        _points(shares, every, _rows(every, "lfc_ratio", method, norm))
        shares.axhline(float(every[0].rows["area"].iloc[0]), color=MUTED, linewidth=0.8, linestyle=":")
        shares.set_ylabel("share of low frequencies", color=MUTED)
        _points(biases, every, _rows(every, BIAS, method, norm))
        biases.set_ylabel("log B_low", color=MUTED)
    alt = (
        "Two panels of points with bars: the share of low frequencies, and log B_low, of images and of the "
        f"perturbations of {len(every)} networks."
    )
    return Figure(figure, _notes(every, method, norm), alt)


def _rows(every: Sequence[Case], measure: str, method: str, norm: str) -> list[dict[Hashable, Any]]:
    """Return the row of the images, and that of each network's perturbations."""
    frames = [every[0].values(measure), *(case.values(measure, method, norm) for case in every)]
    return [frame.to_dict("records")[0] for frame in frames]


def _points(axes: Axes, every: Sequence[Case], rows: Sequence[Mapping[Hashable, Any]]) -> None:
    """Draw a value with its interval for each row, and one standard deviation on either side where there is one."""
    names = ["images", *(plain(label(every, case)) for case in every)]
    for place, (row, colour) in enumerate(zip(rows, [INK, *_colours(every)], strict=True)):
        axes.plot([place, place], [row["value"] - row["sd"], row["value"] + row["sd"]], color=colour, linewidth=0.8)
        axes.plot([place, place], [row["low"], row["high"]], color=colour, linewidth=3)
        axes.plot(place, row["value"], "o", color=colour, markersize=3.5)
    axes.set_xticks(range(len(names)), names)
    axes.set_xlim(-0.5, len(names) - 0.5)
    quiet(axes)


def _colours(every: Sequence[Case]) -> list[str]:
    return [VERMILION if case.regime == "standard" else BLUE for case in every]


def _notes(every: Sequence[Case], method: str, norm: str) -> list[str]:
    notes = [f"{attack_text(every[0], method, norm)}. {setting(every[0])}", condition(every[0])]
    images, *biases = (shown(estimate(row), ".2f") for row in _rows(every, BIAS, method, norm))
    of_networks = ", ".join(f"{bias} of {label(every, case)}" for bias, case in zip(biases, every, strict=True))
    notes.append(
        f"Not in the paper: log B_low (C22, of |F| averaged over channels and images) is {images} of the images; of "
        f"perturbations {of_networks}. It is larger the more the low frequencies have."
    )
    for case, row in zip(every, _rows(every, "lfc_ratio", method, norm)[1:], strict=True):
        dropped = f", {int(row['dropped'])} perturbations that are 0 throughout left out" if row["dropped"] else ""
        notes.append(f"{label(every, case)}: {shown(estimate(row))}, {int(row['n'])} images{dropped}.")
    natural = [case for case in every if case.regime == "standard"]
    trained = [case for case in every if case.regime == "adversarial"]
    for standard in natural:
        for other in trained:
            notes.append(_trend(standard, other, method, norm, f"{label(every, standard)} and {label(every, other)}"))
    if not natural or not trained:
        notes.append("The published trend needs a naturally and an adversarially trained network: cannot be told here.")
    return notes


def _trend(natural: Case, trained: Case, method: str, norm: str, names: str) -> Claim:
    """Say whether images have the largest share, and the perturbations of the natural network the smallest."""
    images = natural.values("lfc_ratio").to_dict("records")[0]
    ours, theirs = (case.values("lfc_ratio", method, norm).to_dict("records")[0] for case in (natural, trained))
    above, between = difference(images, theirs), difference(theirs, ours)
    return trend(
        "images have the largest share of low frequencies, then perturbations of the adversarially trained network, "
        "then those of the natural one",
        [interval(above), interval(between)],
        f"{names}: images exceed the adversarially trained network's by {shown(above)}, these the natural network's by "
        f"{shown(between)}",
        region=RISES,
        section="appendix D, figure 13",
        reported="in this order",
        n=int(images["n"]),
    )

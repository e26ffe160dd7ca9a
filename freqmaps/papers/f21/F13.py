"""Figure 13 of F21: the share of low frequencies in images, and in perturbations of two networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from matplotlib import rc_context

from freqmaps.inference.verdicts import Claim, trend
from freqmaps.papers.f21._spectra import (
    RISES,
    Case,
    attack_text,
    cases,
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
    "standard deviation (thin). Dotted: a spectrum that is the same at all frequencies."
)
KIND = "figure"
NEEDS = ("evaluation", "training")
EVALUATIONS = ("perturbation_spectra",)


def build(inputs: Inputs, *, method: Literal["fgm", "pgd"] = "pgd", norm: Literal["l2", "linf"] = "linf") -> Figure:
    """Draw a point for the images and one for each finished network.

    Parameters
    ----------
    inputs
        The study's results.
    method, norm
        The attack.
    """
    every = [case for case in cases(inputs, "deep") if (method, norm) in case.attacks]
    with rc_context(STYLE):
        figure = new_figure(1.6 + 0.9 * len(every), 2.6)
        axes = figure.subplots()
        rows = [every[0].values("lfc_ratio"), *(case.values("lfc_ratio", method, norm) for case in every)]
        names = ["images", *(plain(label(every, case)) for case in every)]
        for place, (row, colour) in enumerate(zip(rows, [INK, *_colours(every)], strict=True)):
            lfc = row.to_dict("records")[0]
            axes.plot(
                [place, place],
                [lfc["value"] - lfc["sd"], lfc["value"] + lfc["sd"]],
                color=colour,
                linewidth=0.8,
            )
            axes.plot([place, place], [lfc["low"], lfc["high"]], color=colour, linewidth=3)
            axes.plot(place, lfc["value"], "o", color=colour, markersize=3.5)
        axes.axhline(float(every[0].rows["area"].iloc[0]), color=MUTED, linewidth=0.8, linestyle=":")
        axes.set_xticks(range(len(names)), names)
        axes.set_xlim(-0.5, len(names) - 0.5)
        axes.set_ylabel("share of low frequencies", color=MUTED)
        quiet(axes)
    alt = f"Points with bars: the share of low frequencies in images and in perturbations of {len(every)} networks."
    return Figure(figure, _notes(every, method, norm), alt)


def _colours(every: Sequence[Case]) -> list[str]:
    return [VERMILION if case.regime == "standard" else BLUE for case in every]


def _notes(every: Sequence[Case], method: str, norm: str) -> list[str]:
    notes = [f"{attack_text(every[0], method, norm)}. {setting(every[0])}"]
    for case in every:
        row = case.values("lfc_ratio", method, norm).to_dict("records")[0]
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

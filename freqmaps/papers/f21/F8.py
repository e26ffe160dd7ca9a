"""Figure 8 of F21: figure 4a for a network trained, and attacked, with the mean squared error."""

from __future__ import annotations

from typing import Literal

from freqmaps.papers.f21._expectation import expectation
from freqmaps.publish.api import Figure
from freqmaps.results.reader import Inputs

TITLE = "Mean spectrum of perturbations with the mean squared error"
CAPTION = (
    "Mean of |F δ| over images and channels, at signed frequencies in cycles per image with zero in the middle, and "
    "its means over rings of frequencies, each curve relative to its largest value, beside that of |F x| of the "
    "images."
)
KIND = "figure"
NEEDS = ("evaluation", "training")
EVALUATIONS = ("perturbation_spectra",)


def build(inputs: Inputs, *, method: Literal["fgm", "pgd"] = "pgd", norm: Literal["l2", "linf"] = "l2") -> Figure:
    """Draw the means for each finished network.

    Parameters
    ----------
    inputs
        The study's results.
    method, norm
        The attack whose planes are drawn; curves and sentences are of all.
    """
    return expectation(inputs, "mse", method=method, norm=norm, parts=("spectrum",))

"""Figure 10 of F21: figure 4b for a network trained, and attacked, with the mean squared error."""

from __future__ import annotations

from typing import Literal

from freqmaps.papers.f21._expectation import expectation
from freqmaps.publish.api import Figure
from freqmaps.results.reader import Inputs

TITLE = "Mean change of the log-spectrum with the mean squared error"
CAPTION = (
    "Mean over images and channels of the change of the log-spectrum, 20 | log10 |F(x + δ)| − log10 |F x| |, at "
    "signed frequencies in cycles per image with zero in the middle, and its means over rings of frequencies."
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
    return expectation(inputs, "mse", method=method, norm=norm, parts=("difference",))

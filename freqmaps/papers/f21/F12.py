"""Figure 12 of F21: figure 4 for the two-layer network, its first part on a logarithmic scale."""

from __future__ import annotations

from typing import Literal

from freqmaps.papers.f21._expectation import expectation
from freqmaps.publish.api import Figure
from freqmaps.results.reader import Inputs

TITLE = "Mean spectrum of perturbations of a two-layer network, and mean change of the log-spectrum"
CAPTION = (
    "Left: mean of |F δ| over images and channels, at signed frequencies in cycles per image with zero in the middle, "
    "and its means over rings, each curve relative to its largest value, beside that of |F x|. Right: mean change of "
    "the log-spectrum, 20 | log10 |F(x + δ)| − log10 |F x| |, in dB."
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
    return expectation(inputs, "two-layer", method=method, norm=norm, logs=True)

"""Figure 1 of F21: the two measures of a perturbation, drawn from one image."""

from __future__ import annotations

from typing import Literal

from freqmaps.papers.f21._examples import measures
from freqmaps.publish.api import Figure
from freqmaps.results.reader import Inputs

TITLE = "Two measures of one perturbation"
CAPTION = (
    "Top: an image x, a perturbation δ and x + δ. Middle: the magnitudes of their spectra. Bottom: the logarithms of "
    "those of x and of x + δ, and between them how far they lie apart. The spectrum of δ is one measure of a "
    "perturbation, the difference of log-spectra the other."
)
KIND = "figure"
NEEDS = ("evaluation", "training")
EVALUATIONS = ("perturbation_spectra",)
EVALUATED_WITH = {"examples": "[1, inf)"}
RANGES = {"example": "[0, 10000)"}


def build(
    inputs: Inputs, *, method: Literal["fgm", "pgd"] = "pgd", norm: Literal["l2", "linf"] = "l2", example: int = 0
) -> Figure:
    """Draw the images that the first fitting evaluation of a finished network has kept.

    Parameters
    ----------
    inputs
        The study's results.
    method, norm
        The attack.
    example
        Which of the kept images, from 0.
    """
    return measures(inputs, "deep", method=method, norm=norm, example=example, section="3, figure 1")

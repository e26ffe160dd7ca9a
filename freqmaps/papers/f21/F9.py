"""Figure 9 of F21: figure 5 for several images, a network trained, and attacked, with the mean squared error."""

from __future__ import annotations

from typing import Literal

from freqmaps.papers.f21._examples import worked
from freqmaps.publish.api import Figure
from freqmaps.results.reader import Inputs

TITLE = "Images, attacked with the mean squared error, and what changes in their log-spectra"
CAPTION = (
    "Images, their perturbed copies and the perturbations; the log-spectra of the first two and how far they lie "
    "apart, at signed frequencies in cycles per image with zero in the middle."
)
KIND = "figure"
NEEDS = ("evaluation", "training")
EVALUATIONS = ("perturbation_spectra",)
EVALUATED_WITH = {"examples": "[1, inf)"}
RANGES = {"images": "[1, 1000)"}


def build(
    inputs: Inputs, *, method: Literal["fgm", "pgd"] = "pgd", norm: Literal["l2", "linf"] = "l2", images: int = 4
) -> Figure:
    """Draw the images that the first fitting evaluation of a finished network has kept.

    Parameters
    ----------
    inputs
        The study's results.
    method, norm
        The attack.
    images
        How many.
    """
    return worked(inputs, "mse", method=method, norm=norm, images=images, section="appendix C.1, figure 9")

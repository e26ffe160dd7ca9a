"""Figure 5 of F21: one image, attacked, and the log-spectra."""

from __future__ import annotations

from typing import Literal

from freqmaps.papers.f21._examples import worked
from freqmaps.publish.api import Figure
from freqmaps.results.reader import Inputs

TITLE = "An image, attacked, and what changes in its log-spectrum"
CAPTION = (
    "An image, its perturbed copy and the perturbation; the log-spectrum of the first two and how far they lie apart, "
    "at signed frequencies in cycles per image with zero in the middle."
)
KIND = "figure"
NEEDS = ("evaluation", "training")
EVALUATIONS = ("perturbation_spectra",)
EVALUATED_WITH = {"examples": "[1, inf)"}
RANGES = {"images": "[1, 1000)"}


def build(
    inputs: Inputs, *, method: Literal["fgm", "pgd"] = "pgd", norm: Literal["l2", "linf"] = "l2", images: int = 1
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
    return worked(inputs, "deep", method=method, norm=norm, images=images, section="4.2, figure 5")

"""Figure 7 of F21: figure 3 for a network trained, and attacked, with the mean squared error."""

from __future__ import annotations

from typing import Literal

from freqmaps.papers.f21._examples import gallery
from freqmaps.publish.api import Figure
from freqmaps.results.reader import Inputs

TITLE = "Test images and the spectra of their perturbations with the mean squared error"
CAPTION = (
    "Top: images. Bottom: the magnitude of the spectrum of each one's perturbation, at signed frequencies in cycles "
    "per image with zero in the middle."
)
KIND = "figure"
NEEDS = ("evaluation", "training")
EVALUATIONS = ("perturbation_spectra",)
EVALUATED_WITH = {"examples": "[1, inf)"}
RANGES = {"images": "[1, 1000)"}


def build(
    inputs: Inputs, *, method: Literal["fgm", "pgd"] = "pgd", norm: Literal["l2", "linf"] = "l2", images: int = 10
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
    return gallery(inputs, "mse", method=method, norm=norm, images=images, section="appendix C.1, figure 7")

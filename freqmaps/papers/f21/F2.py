"""Figure 2 of F21: the share of low frequencies in perturbations along the training of a network."""

from __future__ import annotations

from freqmaps.papers.f21._trajectory import trajectory
from freqmaps.publish.api import Figure
from freqmaps.results.reader import Inputs

TITLE = "Share of low frequencies in perturbations along training"
CAPTION = (
    "Mean share of the energy of perturbations δ that lies at low frequencies, τ(δ ∈ S_l), by the training step (0: "
    "the untrained network), for attacks of one step and of many; the same share of the images (dashed) and of a "
    "spectrum that is the same at all frequencies (dotted). Steps are on a logarithmic scale from 1 on."
)
KIND = "figure"
NEEDS = ("evaluation", "snapshots")
USES = ("training",)
EVALUATIONS = ("perturbation_spectra",)
SNAPSHOTS = True


def build(inputs: Inputs) -> Figure:
    """Draw the share along each training that the study has snapshots of.

    Parameters
    ----------
    inputs
        The study's results.
    """
    return trajectory(inputs, "deep")

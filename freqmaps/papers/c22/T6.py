"""Table 6 of Chan et al.: accuracy without attack, under FGSM and PGD on TinyImageNet, and what a step costs."""

from __future__ import annotations

from freqmaps.papers.c22._robustness import ATTACKS, table
from freqmaps.publish.api import Table
from freqmaps.results.reader import Inputs

TITLE = "Accuracy without attack, under FGSM and under PGD (TinyImageNet in the paper)"
CAPTION = (
    "Accuracy in percent of networks trained on clean images and on adversarial ones, with and without a term on the "
    "frequencies of their input gradients: the mean over training seeds ± their standard deviation; of one network "
    "Wilson's 95 % interval. Seconds of a training step, and their ratio to those of standard training."
)
KIND = "table"
NEEDS = ("evaluation", "training", "datasets")
EVALUATIONS = ("robustness",)
DATA = ("published.yaml",)


def build(inputs: Inputs) -> Table:
    """Build the table; where networks of TinyImageNet were evaluated, of them alone.

    Returns
    -------
    Table
        See :func:`freqmaps.papers.c22._robustness.table`.
    """
    return table("C22-T6", inputs, ATTACKS, dataset="tiny_imagenet", cost=True)

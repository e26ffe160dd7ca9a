"""Table 4 of Chan et al.: accuracy without attack, under FGSM and under PGD on CIFAR-10."""

from __future__ import annotations

from freqmaps.papers.c22._robustness import ATTACKS, table
from freqmaps.publish.api import Table
from freqmaps.results.reader import Inputs

TITLE = "Accuracy without attack, under FGSM and under PGD (CIFAR-10 in the paper)"
CAPTION = (
    "Accuracy in percent of networks trained on clean images and on adversarial ones, with and without a term on the "
    "frequencies of their input gradients: the mean over training seeds ± their standard deviation; of one network "
    "Wilson's 95 % interval."
)
KIND = "table"
NEEDS = ("evaluation", "training", "datasets")
EVALUATIONS = ("robustness",)
DATA = ("published.yaml",)


def build(inputs: Inputs) -> Table:
    """Build the table; where networks of CIFAR-10 were evaluated, of them alone.

    Returns
    -------
    Table
        See :func:`freqmaps.papers.c22._robustness.table`.
    """
    return table("C22-T4", inputs, ATTACKS, dataset="cifar10")

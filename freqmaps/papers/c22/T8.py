"""Table 8 of Chan et al.: accuracy under each corruption on CIFAR-100, ordered by the corruptions' own log B_low."""

from __future__ import annotations

from freqmaps.papers.c22._corruption_table import table
from freqmaps.publish.api import Table
from freqmaps.results.reader import Inputs

TITLE = "Accuracy under common corruptions (CIFAR-100 in the paper)"
CAPTION = (
    "Accuracy in percent by how networks were trained: without a corruption, and the mean over severities of each "
    "corruption. mCE, in percent: the errors under a corruption, added over severities, relative to those of standard "
    "training, the mean over corruptions. Corruptions come by log B_low (natural logarithm) of what they change in an "
    "image, the mean over severities: low frequencies first. Means over training seeds ± standard deviation; of one "
    "network Wilson's 95 % interval for as many trials as images, of mCE a bootstrap over images."
)
KIND = "table"
NEEDS = ("evaluation", "training", "datasets")
EVALUATIONS = ("corruptions",)
DATA = ("published.yaml",)


def build(inputs: Inputs, *, reference: str = "") -> Table:
    """Build the table; where networks of CIFAR-100 were evaluated, of them alone.

    Parameters
    ----------
    inputs
        The study's results.
    reference
        The config's name of the training that mCE is relative to; empty: the paper's standard training.

    Returns
    -------
    Table
        See :func:`freqmaps.papers.c22._corruption_table.table`.
    """
    return table("C22-T8", inputs, "cifar100", reference)

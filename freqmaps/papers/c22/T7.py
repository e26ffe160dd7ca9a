"""Table 7 of Chan et al.: the same networks under PGD on the margin loss ("CW") and under AutoAttack."""

from __future__ import annotations

from freqmaps.papers.c22._claims import STRONGER, resists
from freqmaps.papers.c22._robustness import table
from freqmaps.publish.api import Table
from freqmaps.results.reader import Inputs

TITLE = "Accuracy under stronger attacks: PGD on the margin loss (CW) and AutoAttack"
CAPTION = (
    "Accuracy in percent, the mean over training seeds ± their standard deviation; of one network Wilson's 95 % "
    "interval. CW: PGD that raises the largest wrong logit less that of the true class, as in the paper. AutoAttack: "
    "its standard version, APGD on the cross-entropy and on the targeted ratio, targeted FAB and Square. Worst: right "
    "under every attack, those of the table on PGD among them."
)
KIND = "table"
NEEDS = ("evaluation", "training", "datasets")
EVALUATIONS = ("robustness",)
DATA = ("published.yaml",)


def build(inputs: Inputs) -> Table:
    """Build the table; its notes say whether the gain of JaFR over FGSM training is kept.

    Returns
    -------
    Table
        See :func:`freqmaps.papers.c22._robustness.table`.
    """
    return table("C22-T7", inputs, STRONGER, dataset="cifar10", claim=resists)

"""Table I of Basile et al.: how essential and adversarial frequency maps of the same images correlate."""

from __future__ import annotations

from freqmaps.papers.b25._relation import table
from freqmaps.publish.api import Table
from freqmaps.results.reader import Inputs

TITLE = "Correlation between essential and adversarial frequency maps"
CAPTION = (
    "Each row compares, image by image, the map of the frequencies that the classifier needs (clean image, its class) "
    "with the map of the frequencies that the attack needs (adversarial image, adversarial class). SVCCA: mean "
    "canonical correlation of the matrices reduced to 99 % of their variance. Cosine: mean and standard deviation "
    "over images. IdCor: intrinsic-dimension correlation, and the p-value of its permutation test; beside it that of "
    "maps whose small entries are set to 0, and that with the constant of the authors' code. CKA (linear) and dCor "
    "(distance correlation) are not in the paper. ± is the sampling error of our values or, of several networks, "
    "their standard deviation. At n/2 and n/4: on halves and quarters of the images."
)
KIND = "table"
NEEDS = ("correlation", "attacks", "maps", "training", "datasets")
METRICS = (
    "svcca", "cosine", "idcor", "linear_cka", "distance_correlation", "idcor_cleaned", "idcor_released",
    "svcca_released",
)  # fmt: skip
DATA = ("published.yaml",)


def build(inputs: Inputs, *, attacks: list[str] | None = None) -> Table:
    """Build the table, one row per dataset, model, training, map setting and attack; several seeds share a row.

    Parameters
    ----------
    inputs
        The study's results.
    attacks
        Names of the attacks to show; None shows all.

    Returns
    -------
    Table
        See :func:`freqmaps.papers.b25._relation.table`.
    """
    return table("B25-T1", inputs, attacks)

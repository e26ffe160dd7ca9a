"""Table II of Basile et al.: the correlations of Table I at 224×224, for a ResNet and a vision transformer."""

from __future__ import annotations

from collections.abc import Mapping

from freqmaps.papers.b25._relation import table
from freqmaps.publish.api import Table
from freqmaps.publish.published import published
from freqmaps.results.reader import Inputs

TITLE = "Correlation between essential and adversarial frequency maps of large photographs, by network"
CAPTION = (
    "As B25-T1, for networks of which only the head was trained on the dataset. Maps are pooled to squares of "
    "neighbouring frequencies before they are compared, as the notes say; an entry then stands for a square of "
    "frequencies. SVCCA: mean canonical correlation of the matrices reduced to 99 % of their variance. Cosine: mean "
    "and standard deviation over images. IdCor: intrinsic-dimension correlation, and the p-value of its permutation "
    "test. CKA (linear) and dCor (distance correlation) are not in the paper. ± is the sampling error of our values."
)
KIND = "table"
NEEDS = ("correlation", "matrices", "attacks", "maps", "training", "datasets")
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
        See :func:`freqmaps.papers.b25._relation.table`. ``scope`` also tells other weights than the paper's.
    """
    built = table("B25-T2", inputs, attacks, _other_weights)
    built.notes.insert(0, _pooling(inputs))
    return built


def _pooling(inputs: Inputs) -> str:
    """Return a sentence on how maps became rows of the matrices that were compared."""
    matrix_settings = [result.manifest["spec"]["parameters"]["settings"] for result in inputs.select("matrices")]
    ways = dict.fromkeys(
        "not pooled" if s["pool"] == "none" else f"pooled to {s['size']}×{s['size']} ({s['pool']})"
        for s in matrix_settings
    )
    return f"Maps are {' and '.join(ways)}."


def _other_weights(inputs: Inputs, names: Mapping[str, str]) -> list[str]:
    """Say it if the network did not start from the paper's weights: torchvision's, by name or as their file.

    A spec holds a file's digest, of which torchvision puts the first eight digits into the file's name.
    """
    trained = inputs.related("training", names)
    _, parameters = (trained[0].component("model") if trained else None) or ("", {})
    weights, known = parameters.get("pretrained"), published("B25-T2")["weights"]
    if isinstance(weights, Mapping):
        digest = str(weights.get("sha256", ""))
        same = digest.startswith(str(known["files"].get(parameters.get("name"), "none")))
        return [] if same else [f"weights of a file ({digest[:8]}…; published: ImageNet-1K)"]
    return [] if weights in known["names"] else [f"weights {weights or 'from scratch'} (published: ImageNet-1K)"]

"""Networks: images in [0, 1] to logits, normalisation inside.

Every file of this folder that does not start with ``_`` is an architecture; see docs/add-a-model.md.
"""

from freqmaps.models._check import check_classifier
from freqmaps.models._checkpoint import load_classifier, load_foreign, save_classifier
from freqmaps.models._classifier import Classifier, Recipe, build_classifier, build_for_dataset, head
from freqmaps.models._foreign import load_converted
from freqmaps.models._predict import predict, predict_logits

__all__ = [
    "Classifier",
    "Recipe",
    "build_classifier",
    "build_for_dataset",
    "check_classifier",
    "head",
    "load_classifier",
    "load_converted",
    "load_foreign",
    "predict",
    "predict_logits",
    "save_classifier",
]
